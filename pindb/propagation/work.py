"""`Work`: a unit of work that hooks enter, leave and resume. One class for each way that a unit of work comes about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Final, Self

from pindb import events
from pindb.core.frames import Frame, frame_var, pop, push_unit
from pindb.core.unit_of_work import UnitOfWork


class Work:
    """A unit of work that can be entered, left, and resumed, for example for each chunk of a streamed body."""

    __slots__ = ("_has_ended", "_left_in", "name", "unit")

    kind: ClassVar = "other"

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit: Final = unit
        self.name = ""
        """That of the view or task, for observers."""
        self._has_ended = False
        self._left_in: Frame | None = None

    @contextmanager
    def resumed(self) -> Iterator[None]:
        """Continue where it was left the last time, inside the `with` blocks that a generator holds open there."""
        before = frame_var.get()
        frame_var.set(self._left_in or Frame(self.unit, None, self))
        try:
            yield
        finally:
            self._left_in = frame_var.get()
            frame_var.set(before)

    def __enter__(self) -> Self:
        frame = frame_var.get()
        if frame is None or frame.owner is not self:  # so that `with open_message(...)` enters once
            push_unit(self.unit, self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the unit of work, which is over. Calling it twice changes nothing."""
        pop(self)
        self.end()

    def end(self) -> None:
        """Tell observers that the unit of work is over. Calling it twice changes nothing."""
        if not self._has_ended:
            self._has_ended = True
            if events.observers:
                events.tell(events.Observer.unit_ended, self.unit, self.kind, self.name)


class RequestWork(Work):
    """The unit of work of a web request. Its response may be streamed, and closed, after it was left."""

    __slots__ = ()

    kind = "request"

    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        if exc_info[0] is not None:  # there will be no response
            self.end()

    def close(self) -> None:
        """Leave the unit of work. `end()` comes later."""
        pop(self)


class MessageWork(Work):
    """The unit of work of a message that a worker has received."""

    __slots__ = ()

    kind = "task"


class EagerWork(Work):
    """A unit of work inside its caller's: it starts with the caller's pins and hands its new ones back."""

    __slots__ = ("caller",)

    kind = "task"

    def __init__(self, caller: UnitOfWork) -> None:
        super().__init__(caller.child())
        self.caller: Final = caller

    def close(self) -> None:
        super().close()
        self.caller.absorb_child(self.unit)
