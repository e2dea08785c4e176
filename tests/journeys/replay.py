"""`ReplayTimeline`: when each standby had replayed what, noted while the journeys run."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Sequence
from threading import Event, Thread
from types import TracebackType
from typing import Self

from tests.journeys.servers import REPLAYED_POSITION, connect
from tests.servers import Standby

PAUSE = 0.005


class ReplayTimeline:
    """Asks the standbys every few milliseconds, from threads of its own, for one `with` block."""

    def __init__(self, standbys: Sequence[Standby]) -> None:
        self.samples: list[tuple[list[float], list[int]]] = [([], []) for _ in standbys]
        self._ended = Event()
        self._threads = [
            Thread(target=self._watch, args=(standby, *samples), daemon=True)
            for standby, samples in zip(standbys, self.samples, strict=True)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def had_replayed(self, position: int, by: float) -> bool:
        """Tell whether any standby had replayed `position` at the time `by`."""
        return any(_seen_by(times, positions, position) <= by for times, positions in self.samples)

    def _watch(self, standby: Standby, times: list[float], positions: list[int]) -> None:
        with connect(standby.settings("postgres")) as connection:
            while not self._ended.is_set():
                row = connection.execute(REPLAYED_POSITION.encode()).fetchone()
                assert row is not None
                # After the answer: whatever it says was so by then.
                times.append(time.time())
                positions.append(int(row[0]))
                self._ended.wait(PAUSE)


def _seen_by(times: Sequence[float], positions: Sequence[int], position: int) -> float:
    index = bisect_left(positions, position)
    return times[index] if index < len(times) else float("inf")
