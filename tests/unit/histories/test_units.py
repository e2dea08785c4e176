"""A unit of work as the history knows it: what it hands on, and that its messages do not know what comes later."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.db import OperationalError, connections

import pindb
from pindb.testing import Operation, load_history
from tests.histories.store import units
from tests.histories.store.units import Unit


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHOP_HISTORY", str(tmp_path / "history"))
    monkeypatch.setenv("SHOP_FAILURES", str(tmp_path / "failures"))
    units._recorder.cache_clear()
    return tmp_path


def recorded(files: Path) -> list[Operation]:
    return load_history(files / "history")


def failure(files: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((files / "failures").read_text())
    return found


def test_a_unit_of_work_that_did_nothing_hands_on_what_came_before_it(files: Path) -> None:
    assert Unit("task", ["a#1", "b#2", "a#1"]).past == ["a#1", "b#2"]


def test_a_message_knows_what_was_done_before_it_was_sent_and_not_what_is_done_later(files: Path) -> None:
    unit = Unit("request", ["before#1"])
    unit.note("write", "account 1", 2, "default")
    sent = unit.past
    unit.go_on()
    unit.note("write", "account 1", 3, "default")
    first, second = recorded(files)
    assert sent == [first.unit] != [second.unit]
    assert (first.parents, second.parents) == (("before#1",), (first.unit,))
    assert unit.past == [second.unit]


def test_a_result_that_is_taken_comes_before_what_is_done_from_then_on(files: Path) -> None:
    unit = Unit("request", [])
    unit.go_on(["task#1"])
    unit.note("read", "account 1", 2, "default")
    assert recorded(files)[0].parents == ("task#1",)


def failed(error: BaseException, files: Path) -> dict[str, object]:
    Unit("task", []).failed(error)
    return failure(files)


def test_an_error_of_pindbs_own_is_its_fault(files: Path) -> None:
    with pytest.raises(pindb.PinDbConfigError) as caught:
        pindb.pin("nowhere")
    assert failed(caught.value, files)["by_pindb"]


@pytest.mark.parametrize(("alias", "by_pindb"), [("default", False), ("default-1", True)])
def test_an_error_of_a_server_is_pindbs_fault_if_the_server_is_a_replica(
    alias: str, by_pindb: bool, files: Path, shop_tables: None
) -> None:
    with pytest.raises(OperationalError) as caught, connections[alias].cursor() as cursor:
        cursor.execute("SELECT * FROM nothing_here")
    told = failed(caught.value, files)
    assert (told["alias"], told["by_pindb"]) == (alias, by_pindb)
