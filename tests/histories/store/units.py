"""`Unit`: a request or a task as the history knows it. Its name and its past travel in the application's own data.

A unit of work goes on after it has sent a message, and the message's task knows nothing of what comes then. So each
message ends a segment of its unit of work; in the history segments are units of their own, each the parent of the next.
"""

from __future__ import annotations

import json
import os
import secrets
import traceback
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

import pindb
import pindb_celery
import pindb_dramatiq
from pindb.testing import Operation, Recorder
from pindb.testing.history import now
from tests.histories.names import segment

PINDB = tuple(f"{Path(module.__file__).parent}{os.sep}" for module in (pindb, pindb_celery, pindb_dramatiq))


class Unit:
    """A unit of work, and what came before it: `parents` are segments of other units of work."""

    def __init__(self, kind: str, parents: Iterable[str]) -> None:
        # A message that is delivered twice is two units of work: the second knows nothing of the first.
        self.name = f"{kind}-{secrets.token_hex(5)}"
        self._parents = tuple(dict.fromkeys(parents))
        self._segment = 1
        self._noted = False

    @property
    def past(self) -> list[str]:
        """What comes before whatever this unit of work causes now."""
        return [self._id] if self._noted else list(self._parents)

    def note(self, kind: str, key: str, version: int, alias: str) -> None:
        """Record a read or a write."""
        _recorder().note(Operation(self._id, kind, key, version, now(), self._parents, alias))
        self._noted = True

    def go_on(self, learned: Iterable[str] = ()) -> None:
        """Begin the next segment; `learned` are the segments whose results this unit of work has taken."""
        self._parents = tuple(dict.fromkeys((*self.past, *learned)))
        self._segment += self._noted
        self._noted = False

    def failed(self, error: BaseException) -> None:
        """Record what has failed, and whether it is pindb's fault."""
        alias = _alias_in(error)
        told = {
            "unit": self.name,
            "error": f"{type(error).__name__}: {error}".split("\n")[0],
            "alias": alias,
            "by_pindb": isinstance(error, pindb.PinDbException) or _raised_in_pindb(error) or _is_replica(alias),
            "traceback": "".join(traceback.format_exception(error)),
        }
        with Path(os.environ["SHOP_FAILURES"]).open("a", encoding="ascii") as file:
            file.write(json.dumps(told) + "\n")

    @property
    def _id(self) -> str:
        return segment(self.name, self._segment)


def _alias_in(error: BaseException) -> str:
    """Return the alias of the connection on which a statement failed, or which could not be opened."""
    found = ""
    frames = error.__traceback__
    while frames is not None:
        names = frames.tb_frame.f_locals
        for wrapper in (names.get("self"), getattr(names.get("self"), "db", None)):
            if isinstance(wrapper, BaseDatabaseWrapper):
                found = wrapper.alias
        frames = frames.tb_next
    return found


def _is_replica(alias: str) -> bool:
    return "-" in alias


def _raised_in_pindb(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename.startswith(PINDB)


@cache
def _recorder() -> Recorder:
    return Recorder(os.environ["SHOP_HISTORY"])
