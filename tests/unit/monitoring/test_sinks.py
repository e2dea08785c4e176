"""Sinks: what several processes count adds up, and what fails changes nothing that is there."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings

from pindb.exceptions import PinDbConfigError
from pindb.monitoring import sinks
from pindb.monitoring.sinks import CacheSink, DirectorySink, Sink, SinkError, Tally, sink_from

FILES = "django.core.cache.backends.filebased.FileBasedCache"
DUMMY = "django.core.cache.backends.dummy.DummyCache"


class Forgetful(LocMemCache):
    """A cache that drops what it is given, as one does whose server is full."""

    def set(self, *_args: Any, **_options: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def _caches(tmp_path: Path) -> Iterator[None]:
    # By default, what is kept there is gone at once: counts have to outlast any time limit.
    memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "sinks", "TIMEOUT": 0}
    files = {"BACKEND": FILES, "LOCATION": str(tmp_path / "cache")}
    forgetful = {"BACKEND": f"{__name__}.Forgetful", "LOCATION": "forgetful"}
    with override_settings(
        CACHES={"default": memory, "files": files, "none": {"BACKEND": DUMMY}, "forgetful": forgetful}
    ):
        yield
        caches["default"].clear()


@pytest.fixture(params=["directory", "cache"])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Sink:
    return sink_from(str(tmp_path) if request.param == "directory" else "cache:default")


def tally(count: int = 1, at: float = 10.0, name: str = "shop.show") -> Tally:
    return Tally(at, at, Counter({("unit", "request", name): count, ("shadow",): 1}))


def test_counts_add_up_from_the_first_to_the_last(sink: Sink) -> None:
    assert sink.read() is None
    sink.add(tally(2, at=20.0))
    sink.add(tally(3, at=10.0))
    sink.add(tally(4, at=15.0, name="größe"))
    assert sink.read() == Tally(
        10.0, 20.0, Counter({("unit", "request", "shop.show"): 5, ("unit", "request", "größe"): 4, ("shadow",): 3})
    )


def test_after_a_reset_counts_begin_anew(sink: Sink) -> None:
    sink.reset()
    sink.add(tally(2))
    sink.reset()
    assert sink.read() is None
    sink.add(tally(3, at=30.0))
    assert sink.read() == tally(3, at=30.0)


def test_threads_that_add_at_the_same_time_lose_nothing(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "LOCK_SECONDS", 60)

    def add() -> None:
        for _ in range(20):
            sink.add(tally())

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = sink.read()
    assert total is not None
    assert total.counts["unit", "request", "shop.show"] == 120


def _add(sink: Sink) -> None:
    sinks.LOCK_SECONDS = 60.0  # type: ignore[misc]
    for _ in range(20):
        sink.add(tally())


def _hold(sink: Sink, held: Any) -> None:
    with sink._locked():
        held.set()
        signal.pause()


def started(target: Callable[..., None], *args: Any) -> Any:
    process = multiprocessing.get_context("spawn").Process(target=target, args=args)
    process.start()
    return process


def test_processes_that_add_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    sink = DirectorySink(str(tmp_path))
    processes = [started(_add, sink) for _ in range(4)]
    for process in processes:
        process.join()
    total = sink.read()
    assert total is not None
    assert total.counts["unit", "request", "shop.show"] == 80


def test_a_process_that_is_killed_with_the_lock_keeps_no_other_from_adding(tmp_path: Path) -> None:
    sink = DirectorySink(str(tmp_path))
    held = multiprocessing.get_context("spawn").Event()
    process = started(_hold, sink, held)
    held.wait(60)
    with pytest.raises(SinkError, match="lock cannot be taken"):
        sink.add(tally())
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    sink.add(tally())
    assert sink.read() == tally()


def test_what_cannot_be_written_leaves_the_counts_before(tmp_path: Path) -> None:
    sink = DirectorySink(str(tmp_path))
    sink.add(tally(2))
    in_the_way = tmp_path / "pindb-report.new"
    in_the_way.mkdir()
    with pytest.raises(OSError, match=r"pindb-report\.new"):
        sink.add(tally(3))
    assert sink.read() == tally(2)
    in_the_way.rmdir()
    sink.add(tally(0, at=20.0))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"since": 1, "until": 2, "counts": [["unit", "x"]]}'])
def test_what_are_no_counts_is_told_with_its_remedy_and_not_overwritten(tmp_path: Path, text: str) -> None:
    sink = DirectorySink(str(tmp_path))
    sink.file.write_text(text)
    for attempt in (sink.read, lambda: sink.add(tally())):
        with pytest.raises(SinkError, match="pindb_report --reset"):
            attempt()
    assert sink.file.read_text() == text
    sink.reset()
    sink.add(tally())


def test_what_are_no_counts_in_a_cache_is_told_with_its_remedy() -> None:
    caches["default"].set(CacheSink.KEY, "no counts", timeout=None)
    with pytest.raises(SinkError, match="pindb_report --reset"):
        sink_from("cache:default").read()


def test_a_cache_that_keeps_nothing_is_told() -> None:
    with pytest.raises(SinkError, match="did not keep the counts"):
        sink_from("cache:forgetful").add(tally())


def test_a_process_that_was_stopped_for_longer_than_its_lock_writes_nothing_and_frees_no_other_lock() -> None:
    sink = CacheSink("default")
    key = f"{CacheSink.KEY}.lock"
    with pytest.raises(SinkError, match="took too long"), sink._locked():
        caches["default"].set(key, "of another process", timeout=None)
        sink._write_until = 0.0
        sink._write("counts")
    assert caches["default"].get(key) == "of another process"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("cache:none", "DummyCache"),
        ("cache:default", "LocMemCache"),
        ("cache:files", "FileBasedCache"),
        ("/no/such/directory", "is no directory"),
        (__file__, "is no directory"),
    ],
)
def test_what_cannot_add_up_is_told_before_it_is_used(value: str, problem: str) -> None:
    assert problem in sink_from(value).problem()


def test_a_directory_is_fine(tmp_path: Path) -> None:
    assert not sink_from(str(tmp_path)).problem()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "may not write" in sink_from(str(tmp_path)).problem()


def test_a_cache_that_there_is_not_is_refused() -> None:
    with pytest.raises(PinDbConfigError, match="CACHES has no 'defaul'. Did you mean 'default'"):
        sink_from("cache:defaul")
