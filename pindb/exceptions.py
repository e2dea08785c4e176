"""The errors pindb raises: one base, and each message ends with what to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PinDbException(Exception):  # noqa: N818 - 0.1.12's name
    """Base of all errors of pindb."""


class PinDbConfigError(PinDbException, ValueError):
    """A setting, an alias or an argument that pindb cannot work with.

    `problem` says what is wrong, `remedy` what to type ("" if there is nothing). `str()` gives both.
    """

    def __init__(self, problem: str = "", remedy: str = "") -> None:
        # One argument, as pickle and whoever reads `args` have known it: `__dict__` carries the two parts.
        super().__init__(f"{problem} {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


class UnpinnedWriteException(PinDbException):
    """`StrictPinDbRouter` was asked for a write to a DB set that nothing has pinned."""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return `name`'s nearest match among `known` as a question, else all of `known`; a part of a message."""
    names = sorted(known)
    return nearest(name, names) or (f"Known: {', '.join(map(repr, names))}." if names else "There are none.")


def nearest(name: object, known: Iterable[str]) -> str:
    """Return `name`'s nearest match among `known` as a question, "" if none is near; a part of a message."""
    matches = difflib.get_close_matches(str(name), list(known), n=1)
    return f"Did you mean {matches[0]!r}?" if matches else ""


def first_line(error: BaseException) -> str:
    """Return the kind of an error and the first line of its message: a driver's hints and details follow on others.

    Its full stop is left out: the sentence around it has its own.
    """
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].removesuffix('.')}" if lines else type(error).__name__
