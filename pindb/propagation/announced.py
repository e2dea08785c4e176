"""Messages published between the question where to write and the statement, by a `pre_save` receiver for example.

Django asks the router at the beginning of `save()`, then sends the signal, then writes. Such a message needs the pin
that the statement is about to make. `Order(customer=customer)` asks as well, but has returned when the next message is
published: so what counts is whether the publisher runs inside a call of Django's ORM.
"""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Final

from pindb.config.database_sets import Config
from pindb.core.unit_of_work import UnitOfWork

NO_NAMES: Final[frozenset[str]] = frozenset()
NO_THREAD: Final = -1


def writes_to_come(config: Config, unit: UnitOfWork) -> frozenset[str]:
    """Return the DB sets that the running call may be about to write to.

    What another thread has announced counts always: Django runs async receivers in a thread of their own, and the stack
    of the call that waits for them is not visible there.
    """
    # The pin that an earlier write has made will do, unless it carries that write's position.
    done = NO_NAMES if config.settings.positions else unit.pins_made
    together = config.written_together
    waiting = [
        (name, thread)
        for announced, thread in list(unit.announced)
        for name in together.get(announced, (announced,))
        if name not in done
    ]
    if not waiting:
        return NO_NAMES
    here = NO_THREAD if _inside_the_orm(sys._getframe(1)) else threading.get_ident()
    return frozenset(name for name, thread in waiting if thread != here)


def _inside_the_orm(frame: FrameType | None) -> bool:
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith("django.db.models."):
            return True
        frame = frame.f_back
    return False
