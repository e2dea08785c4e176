"""What can happen, how often, and to whom.

An event is given somebody to whom it can happen, and a number, which it uses as it likes. It counts through what there
is, so that any number means something, and a smaller one something earlier: that shrinks well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from tests.model.servers import Servers
from tests.model.steps import Begin, Commit, Read, Rollback, Write
from tests.model.task_steps import EndEager, StartEager
from tests.model.web_steps import Request, Respond
from tests.simulation import queue
from tests.simulation.site import Browser, Flight, Process, Site, Thread
from tests.simulation.steps import MakeToken, Observe, Token

JUMPS: Final = (1.0, 0.4, 9.5, 14.9, 15.0, 40.0)
SWITCH: Final = ("on", "50%", "off", "shadow", None)
DRAWS: Final = (0.0, 0.75)
MAX_FLIGHTS: Final = 4

Find = Callable[[Site], Sequence[Any]]


@dataclass(frozen=True)
class Event:
    """`find` returns those to whom it can happen. An event with a `trouble` happens in histories that have it."""

    happen: Callable[[Site, Any, int], None]
    find: Find
    trouble: str = ""

    def __repr__(self) -> str:
        return self.happen.__name__


EVENTS: Final[list[Event]] = []
"""Each as often as it is likely, in any order."""


def event(weight: int, find: Find, trouble: str = "") -> Callable[[Any], Any]:
    def registered(happen: Any) -> Any:
        EVENTS.extend([Event(happen, find, trouble)] * weight)
        return happen

    return registered


def busy(site: Site) -> list[Thread]:
    return site.busy()


def atomic(site: Site) -> list[Thread]:
    return [thread for thread in site.busy() if thread.is_atomic]


def not_eager(site: Site) -> list[Thread]:
    return [thread for thread in site.busy() if not thread.eager]


def eager(site: Site) -> list[Thread]:
    return [thread for thread in site.busy() if thread.eager]


def publishers(site: Site) -> list[Thread]:
    """Return who may hand on. A pin of an open transaction is a timed one, which needs a bounded lag."""
    return [thread for thread in site.busy() if site.bounded_lag or not thread.is_atomic]


def requests(site: Site) -> list[Thread]:
    return [thread for thread in not_eager(site) if not thread.is_worker and not thread.is_atomic]


def tasks(site: Site) -> list[Thread]:
    return [thread for thread in not_eager(site) if thread.is_worker and not thread.is_atomic]


def replicas(site: Site) -> list[int]:
    return list(site.world.servers.replica_numbers())


# Requests and tasks.


@event(12, busy)
def reads(site: Site, thread: Thread, which: int) -> None:
    site.take(thread, Read(), which)


@event(5, busy)
def writes(site: Site, thread: Thread, which: int) -> None:
    site.take(thread, Write(site.new_name("order")))


@event(8, lambda site: site.browsers if site.idle(workers=False) and len(site.flights) < MAX_FLIGHTS else ())
def a_request_comes_in(site: Site, browser: Browser, which: int) -> None:
    idle = site.idle(workers=False)
    site.draw(DRAWS[which % 2])
    site.begin(idle[which % len(idle)], site.new_name(f"{browser.name}'s request"), Request(), browser=browser)


@event(6, requests)
def a_request_is_answered(site: Site, thread: Thread, which: int) -> None:
    run = site.take(thread, Respond())
    site.flights.append(Flight(thread.name, thread.browser, run.actor))
    site.end(thread)


@event(8, lambda site: site.flights)
def an_answer_arrives(site: Site, flight: Flight, which: int) -> None:
    site.arrive(flight)


@event(1, lambda site: [thread for thread in busy(site) if not thread.is_atomic])
def begins_a_transaction(site: Site, thread: Thread, which: int) -> None:
    site.take(thread, Begin())


@event(4, atomic)
def a_transaction_ends(site: Site, thread: Thread, which: int) -> None:
    thread.published_inside = False
    site.take(thread, Rollback() if which == 5 else Commit())


@event(1, not_eager)
def runs_a_task_right_here(site: Site, thread: Thread, which: int) -> None:
    site.take(thread, StartEager())
    thread.eager += 1


@event(2, eager)
def the_task_right_here_ends(site: Site, thread: Thread, which: int) -> None:
    site.take(thread, EndEager())
    thread.eager -= 1


# Messages, results and tokens.


@event(4, publishers)
def publishes(site: Site, thread: Thread, which: int) -> None:
    queue.publish(site, thread)


@event(1, lambda site: site.busy() if site.bounded_lag else ())
def publishes_what_is_damaged(site: Site, thread: Thread, which: int) -> None:
    queue.publish(site, thread, damaged=True)


@event(1, lambda site: [thread for thread in publishers(site) if thread.messages])
def retries(site: Site, thread: Thread, which: int) -> None:
    queue.publish(site, thread, again=thread.messages[0])


@event(1, publishers)
def starts_a_chord(site: Site, thread: Thread, which: int) -> None:
    queue.start_chord(site, thread)


@event(8, lambda site: queue.waiting(site) if site.idle(workers=True) else ())
def a_task_starts(site: Site, message: str, which: int) -> None:
    idle = site.idle(workers=True)
    site.draw(DRAWS[which % 2])
    queue.start(site, idle[which % len(idle)], message, batch=which == 5)


@event(6, tasks)
def a_task_ends(site: Site, thread: Thread, which: int) -> None:
    queue.end(site, thread)


@event(1, tasks, "interrupts")
def a_task_is_interrupted(site: Site, thread: Thread, which: int) -> None:
    queue.interrupt(site, thread)


@event(1, lambda site: queue.waiting(site, chords=False) if queue.consumers(site) else ())
def a_message_is_put_back(site: Site, message: str, which: int) -> None:
    consumers = queue.consumers(site)
    queue.put_back(site, consumers[which % len(consumers)], message)


@event(3, lambda site: site.busy() if site.results else ())
def takes_a_result(site: Site, thread: Thread, which: int) -> None:
    queue.take_result(site, thread, site.results[which % len(site.results)])


@event(1, publishers)
def makes_a_token(site: Site, thread: Thread, which: int) -> None:
    token = Token(site.new_name("token"))
    site.take(thread, MakeToken(token))
    thread.published_inside |= thread.is_atomic
    site.tokens = [*site.tokens[-3:], token]


@event(2, lambda site: site.busy() if site.tokens else ())
def observes_a_token(site: Site, thread: Thread, which: int) -> None:
    site.take(thread, Observe(site.tokens[which % len(site.tokens)]))


# Servers.


def _change(site: Site, replica: int, what: Callable[[Servers, int], Servers | None], sentence: str) -> None:
    if (after := what(site.world.servers, replica)) is not None:
        site.servers_are(after, f"Replica default-{replica} {sentence}")


@event(6, replicas)
def a_replica_replays(site: Site, replica: int, which: int) -> None:
    for _ in range(1 + which % 3):
        _change(site, replica, Servers.replay, "replays a step of the log, or follows the new master")


@event(2, lambda site: (site,))
def another_program_writes(site: Site, _: Site, which: int) -> None:
    what = site.new_name("article")
    site.servers_are(site.world.servers.commit((what,), site.world.now), f"The import writes {what}")


@event(2, replicas, "crashes")
def a_replica_crashes(site: Site, replica: int, which: int) -> None:
    _change(site, replica, Servers.crash, "is killed and comes back older than it was")


@event(1, lambda site: () if atomic(site) else replicas(site), "failovers")
def the_master_dies(site: Site, replica: int, which: int) -> None:
    _change(site, replica, Servers.fail_over, "is promoted, for the master has died")


@event(1, replicas, "failovers")
def a_replica_writes_its_control_file(site: Site, replica: int, which: int) -> None:
    _change(site, replica, Servers.write_control_file, "writes its control file")


# Clocks, processes, the switch.


@event(3, lambda site: () if any(thread.published_inside for thread in site.threads) else (site,), "jumps")
def the_clock_jumps(site: Site, _: Site, which: int) -> None:
    site.jump(JUMPS[which])


@event(1, lambda site: site.processes, "kills")
def a_process_is_killed(site: Site, process: Process, which: int) -> None:
    if which == 0:
        queue.deliver_again(site, site.kill(process))
        site.tell(f"{process.name} is killed, and its messages are delivered again.")


@event(1, lambda site: site.processes, "switch")
def the_switch_is_turned(site: Site, process: Process, which: int) -> None:
    site.roll_out(process, SWITCH[which % len(SWITCH)])


@event(1, lambda site: site.threads, "connections")
def connections_are_closed(site: Site, thread: Thread, which: int) -> None:
    site.close_connections(thread)


TROUBLES: Final = sorted({each.trouble for each in EVENTS if each.trouble})
Random(0).shuffle(EVENTS)
