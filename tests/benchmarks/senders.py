"""Messages no two of which are alike, as of senders that publish once: what is kept for the next one is of no use."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

from pindb.core import codec
from pindb.core.frames import current_frame
from pindb.core.pins import PinSet
from pindb.core.unit_of_work import NO_HANDOFF


def anew(publish: Callable[[], object]) -> Callable[[], object]:
    """Return `publish` as for a sender that has published nothing yet."""
    unit = current_frame().unit

    def publish_anew() -> None:
        unit.last_handoff = NO_HANDOFF
        publish()

    return publish_anew


def texts() -> Iterator[str]:
    """Return what messages hold with two DB sets pinned, in a circle too large to be kept."""
    now = time.time()
    sets = [PinSet(dict.fromkeys(("default", "audit"), now + 1000 + number)) for number in range(4 * codec.CACHE_SIZE)]
    return itertools.cycle([codec.encode(pins) for pins in sets])
