"""`Chaos`: what goes wrong on purpose, drawn by chance: processes and standbys end, lags change, connections end."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from random import Random
from threading import Event, Thread
from typing import Self

from pindb.testing.history import now
from tests.histories.servers import Servers
from tests.histories.site import WEB, WORKERS, Site
from tests.servers import PostgresServer, wait_until

EVERY_SECONDS = 5.0
PROMOTION = 4
PAUSE_SECONDS = (1.0, 4.0)
SHORT_LAG_SECONDS = 1.0
MAX_LAG_SECONDS = 5.0
HANGING_UP = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


Move = Callable[[], Mapping[str, str]]
"""Returns the environment of a site whose cluster has another master."""


class Chaos:
    """Does one of these things every five seconds, and changes the lags in between.

    With `move` one of them, the fourth, is that a standby becomes the master. With `lag` (seconds) lags do not change.
    """

    def __init__(
        self, seed: str, site: Site, servers: Servers, *, every: float, lag: float | None, move: Move | None
    ) -> None:
        self.done: Counter[str] = Counter()
        self.story: list[tuple[float, float, str]] = []
        self.error: BaseException | None = None
        self._chance = Random(f"{seed} chaos")
        self._site = site
        self._cluster = servers.cluster
        self._broker = servers.broker
        self._results = servers.results
        self._every = every
        self._lag = lag
        self._move = move
        self._to_come: list[Callable[[Chaos], None]] = []
        self._missing = {*CHOICES} if move is None else {*CHOICES, Chaos._promote_a_standby}
        self._stopped = Event()
        self._thread = Thread(target=self._go_on)

    def __enter__(self) -> Self:
        self.change_lags()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    @property
    def is_complete(self) -> bool:
        """Whether each thing has gone wrong, or nothing will any more."""
        return not self._missing or self.error is not None

    def change_lags(self) -> None:
        """Give each standby another lag: none, a short one, or a long one."""
        if self._lag is not None:
            self._cluster.set_lag(self._lag)
            return
        for standby in self._cluster.standbys:
            standby.set_lag(self._chance.uniform(0, self._chance.choice((0.0, SHORT_LAG_SECONDS, MAX_LAG_SECONDS))))

    def _go_on(self) -> None:
        number = 0
        try:
            while not self._stopped.wait(self._every):
                number += 1
                is_promotion = number == PROMOTION and self._move is not None
                what = Chaos._promote_a_standby if is_promotion else self._draw()
                began = now()
                what(self)
                self._missing.discard(what)
                self.story.append((began, now(), what.__name__.strip("_").replace("_", " ")))
                self.done[what.__name__.strip("_").replace("_", " ")] += 1
                for name in self._site.mend():
                    self.done[f"{name} ended and was started again"] += 1
                self.change_lags()
        except BaseException as error:
            self.error = error

    def _draw(self) -> Callable[[Chaos], None]:
        """Return what goes wrong next: all of `CHOICES` in an order drawn by chance, then all of them again."""
        if not self._to_come:
            self._to_come = self._chance.sample(CHOICES, len(CHOICES))
        return self._to_come.pop()

    def _kill_a_process_of_a_worker(self) -> None:
        children = self._site.children(self._chance.choice(WORKERS))
        if children:
            with suppress(ProcessLookupError):
                os.kill(self._chance.choice(children), signal.SIGKILL)

    def _kill_a_worker(self) -> None:
        self._site.kill(self._chance.choice(WORKERS))

    def _kill_a_web_server(self) -> None:
        self._site.kill(self._chance.choice(WEB))

    def _deploy_another_release(self) -> None:
        self._site.deploy(*WEB, self._chance.choice(WORKERS))

    def _kill_a_standby(self) -> None:
        self._cluster.restart(self._chance.choice(self._cluster.standbys))

    def _rebuild_a_standby(self) -> None:
        self._cluster.rebuild(self._chance.choice(self._cluster.standbys))

    def _pause_a_standby(self) -> None:
        standby = self._chance.choice(self._cluster.standbys)
        standby.pause_replay()
        self._stopped.wait(self._chance.uniform(*PAUSE_SECONDS))
        standby.resume_replay()

    def _cut_the_connections_to_a_standby(self) -> None:
        self._cut(self._chance.choice(self._cluster.standbys))

    def _cut_the_connections_to_the_master(self) -> None:
        self._cut(self._cluster.master)

    def _cut_the_connections_to_the_broker(self) -> None:
        self._broker.cut_connections()

    def _restart_the_broker(self) -> None:
        self._broker.restart()

    def _restart_the_result_store(self) -> None:
        self._results.restart()

    def _promote_a_standby(self) -> None:
        """Lose the master and nothing that it has committed: the site writes no more when the standby has it all."""
        assert self._move is not None
        old, (new, *others) = self._cluster.master, self._cluster.standbys
        self._cluster.set_lag(0)
        old.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        old.execute("SELECT pg_reload_conf()")
        wait_until(lambda: old.execute("SHOW default_transaction_read_only") == [("on",)], 10, "no more writes")
        self._cut(old)
        self._cluster.wait_until_replayed()
        old.process.kill()
        new.promote()
        for other in others:
            other.follow(new)
        self._cluster.master, self._cluster.standbys = new, others
        self._site.move(self._move())

    def _cut(self, server: PostgresServer) -> None:
        server.execute(HANGING_UP)


CHOICES: list[Callable[[Chaos], None]] = [
    Chaos._kill_a_process_of_a_worker,
    Chaos._kill_a_worker,
    Chaos._kill_a_web_server,
    Chaos._deploy_another_release,
    Chaos._kill_a_standby,
    Chaos._kill_a_standby,
    Chaos._rebuild_a_standby,
    Chaos._pause_a_standby,
    Chaos._pause_a_standby,
    Chaos._cut_the_connections_to_a_standby,
    Chaos._cut_the_connections_to_the_master,
    Chaos._cut_the_connections_to_the_broker,
    Chaos._restart_the_broker,
    Chaos._restart_the_result_store,
]
