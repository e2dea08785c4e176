"""`Started`: what runs for one ``with`` block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack
from types import TracebackType
from typing import Self


class Started(ABC):
    """Starts things at the beginning of a ``with`` block, and ends them after it, the last one first."""

    @abstractmethod
    def _start_all(self, stack: ExitStack) -> None:
        """Start, and push on `stack` what ends it: also if this fails halfway, or is interrupted."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start_all(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
