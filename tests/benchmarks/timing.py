"""What a call takes, for the benchmarks that compare with and without pindb."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable


def microseconds(function: Callable[[], object], calls: int) -> float:
    """Return what a call takes, on average of so many.

    Of several turns the least is what counts, as Python's documentation of timeit advises: what another one takes more
    is other work of the machine.
    """
    gc.disable()  # as timeit does: whose turn a collection falls into is chance
    start = time.perf_counter()
    for _ in range(calls):
        function()
    seconds = time.perf_counter() - start
    gc.enable()
    return seconds / calls * 1e6
