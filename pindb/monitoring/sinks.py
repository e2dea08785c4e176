"""Where the counts of the report outlive their processes: a file in a directory, or an entry in a cache.

Each process adds what it has counted: it takes a lock, reads, adds, writes. So no count is lost, and the sink stays as
small as the project, however many processes come and go.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import random
from typing import Any, Final, Self
from uuid import uuid4

from django.core.cache import caches
from django.core.cache.backends.filebased import FileBasedCache
from django.core.files import locks

from pindb.config.rollout import CACHE_PREFIX, seen_by_one_process
from pindb.exceptions import PinDbConfigError, did_you_mean

REMEDY: Final = 'Write the path of a directory that all processes may write to, or "cache:ALIAS".'

LOCK_SECONDS: Final = 1.0
"""How long to wait for other processes that add their counts."""

CACHE_LOCK_SECONDS: Final = 30
"""When the lock of a process ends that was killed while it held it. Files need none: the system unlocks them."""


class SinkError(Exception):
    """The counts cannot be added or read now."""


@dataclass
class Tally:
    """What was counted. Times are UTC epoch seconds; 0 before anything was counted."""

    since: float = 0.0
    until: float = 0.0
    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Add the counts of `other`, which covers another time or another process."""
        self.since = min(self.since or other.since, other.since or self.since)
        self.until = max(self.until, other.until)
        self.counts.update(other.counts)

    def as_text(self) -> str:
        counts = [[*key, count] for key, count in self.counts.items()]
        return json.dumps({"since": self.since, "until": self.until, "counts": counts})

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the tally that `as_text` gave; raises `SinkError` for any other text."""
        try:
            values = json.loads(text)
            counts = Counter({tuple(map(str, key)): int(count) for *key, count in values["counts"]})
            return cls(float(values["since"]), float(values["until"]), counts)
        except (ValueError, TypeError, KeyError) as error:
            raise SinkError("What it holds are no counts. Type manage.py pindb_report --reset") from error


class Sink(ABC):
    """Counts that all processes add to."""

    def add(self, tally: Tally) -> None:
        """Add `tally`; raises some exception where that fails. Nothing was added then."""
        with self._locked():
            text = self._read()
            total = Tally() if text is None else Tally.from_text(text)
            total.add(tally)
            self._write(total.as_text())

    def read(self) -> Tally | None:
        """Return all counts so far; None if there are none. Raises some exception where they cannot be read."""
        text = self._read()
        return None if text is None else Tally.from_text(text)

    def reset(self) -> None:
        """Forget all counts."""
        with self._locked():
            self._delete()

    @abstractmethod
    def problem(self) -> str:
        """Return why the sink cannot be written, whatever the processes do; "" if it can."""

    @abstractmethod
    def _locked(self) -> AbstractContextManager[None]: ...

    @abstractmethod
    def _read(self) -> str | None: ...

    @abstractmethod
    def _write(self, text: str) -> None: ...

    @abstractmethod
    def _delete(self) -> None: ...


class DirectorySink(Sink):
    """A file in an existing directory. It is replaced as a whole: a process that is killed leaves the one before."""

    def __init__(self, path: str) -> None:
        self.directory: Final = Path(path)
        self.file: Final = self.directory / "pindb-report.json"

    def problem(self) -> str:
        if not self.directory.is_dir():
            return "is no directory"
        may_write = os.access(self.directory, os.W_OK | os.X_OK)
        return "" if may_write else "is a directory that this process may not write to"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self.file.with_suffix(".lock").open("a") as file:
            _take(lambda: bool(locks.lock(file, locks.LOCK_EX | locks.LOCK_NB)))
            try:
                yield
            finally:
                locks.unlock(file)  # a child that was forked meanwhile has the file open, too

    def _read(self) -> str | None:
        try:
            return self.file.read_text("utf-8")
        except FileNotFoundError:
            return None

    def _write(self, text: str) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(text, "utf-8")
        new.replace(self.file)

    def _delete(self) -> None:
        self.file.unlink(missing_ok=True)


class CacheSink(Sink):
    """An entry in a cache whose `add` is atomic: Redis, Memcached, database."""

    KEY: Final = "pindb.report"

    def __init__(self, alias: str) -> None:
        self.alias: Final = alias

    def problem(self) -> str:
        if seen_by_one_process(self.alias) or isinstance(self._cache, FileBasedCache):
            return f"names a cache ({type(self._cache).__name__}) that cannot add up what several processes count"
        return ""

    @property
    def _cache(self) -> Any:
        return caches[self.alias]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        key, owner = f"{self.KEY}.lock", uuid4().hex
        _take(lambda: bool(self._cache.add(key, owner, timeout=CACHE_LOCK_SECONDS)))
        self._write_until = time.monotonic() + CACHE_LOCK_SECONDS / 2
        try:
            yield
        finally:
            if self._cache.get(key) == owner:
                self._cache.delete(key)

    def _read(self) -> str | None:
        value = self._cache.get(self.KEY)
        try:
            return None if value is None else zlib.decompress(value).decode()
        except (TypeError, ValueError, zlib.error):
            return ""

    def _write(self, text: str) -> None:
        if time.monotonic() > self._write_until:  # this process was stopped meanwhile, another one has the lock
            raise SinkError("The cache took too long")
        value = zlib.compress(text.encode())
        self._cache.set(self.KEY, value, timeout=None)
        if self._cache.get(self.KEY) != value:
            raise SinkError("The cache did not keep the counts")

    def _delete(self) -> None:
        self._cache.delete(self.KEY)


def _take(lock: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while not lock():
        if time.monotonic() > deadline:
            raise SinkError("Its lock cannot be taken: another process holds it, or the cache is down")
        time.sleep(random() / 50)  # noqa: S311 - no secret


def sink_from(value: str) -> Sink:
    """Return the sink that `PINDB_REPORT` names; raises `PinDbConfigError` for a cache that there is not."""
    if not value.startswith(CACHE_PREFIX):
        return DirectorySink(value)
    alias = value.removeprefix(CACHE_PREFIX)
    if alias not in caches.settings:
        known = did_you_mean(alias, caches.settings)
        raise PinDbConfigError(f"PINDB_REPORT is {value!r}, but CACHES has no {alias!r}.", known)
    return CacheSink(alias)
