"""What the command prints, its exit status, and the sections of the settings and the web."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError
from django.test import override_settings

from pindb.management.doctor import queues
from tests.unit.management.doctor.running import found, run, texts


def test_a_healthy_site_is_told_so_section_by_section() -> None:
    text, status = run()
    assert status == 0, text
    headings = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == ["settings:", "web:", "queues:", "servers:", "clocks:"]
    assert "  ok      The replica 'default-1' is a file.\n" in text
    assert "  ok      PinDbMiddleware is the first of 2 in MIDDLEWARE.\n" in text
    *_, last = text.splitlines()
    assert last.startswith("0 wrong, 0 unwise, ")
    assert text.count("  ok      ") == int(last.split()[-2])


def test_what_is_unwise_alone_is_no_failure() -> None:
    with override_settings(PINDB_MODE="shadow"):
        text, status = run()
    assert status == 0
    assert "  unwise  Reads from replicas: shadow, says the settings. Take PINDB_MODE" in text
    with override_settings(PINDB_ENABLED=False):
        (unwise,) = texts(found("settings"), "unwise")
    assert unwise.startswith("PINDB_ENABLED is False")


def fails() -> str:
    raise ConnectionError("Connection refused")


@pytest.mark.parametrize(
    ("switch", "problem"),
    [
        (fails, "ConnectionError: Connection refused"),
        (lambda: "of", "'of' is none of"),
        (lambda: time.sleep(1), "no answer"),
    ],
)
def test_a_switch_that_cannot_be_asked_is_wrong(switch: Callable[[], object], problem: str) -> None:
    with override_settings(PINDB_SWITCH=switch):
        (wrong,) = texts(found("settings", "--timeout", "0.5"), "wrong")
    assert "and cannot be asked: " in wrong
    assert problem in wrong


def test_a_switch_that_can_be_asked_is_not_mentioned() -> None:
    with override_settings(PINDB_SWITCH=lambda: None):
        assert [f for f in found("settings") if f["verdict"] != "ok"] == []


def test_system_checks_speak_for_themselves_once() -> None:
    with override_settings(MIDDLEWARE=["django.middleware.common.CommonMiddleware"], PINDB_PINING_SECONDS=3):
        text, status = run()
    assert status == 1, "without the middleware reads may be stale"
    assert "  wrong   (pindb.W002) PinDbMiddleware is not in MIDDLEWARE" in text
    assert "  unwise  (pindb.W001) PINDB_PINING_SECONDS is not a setting of pindb. Did you mean" in text
    assert text.count("PinDbMiddleware is") == 1


def test_the_mode_of_a_db_set_is_said_by_its_servers_alone() -> None:
    with override_settings(PINDB_CONSISTENCY="position"):
        text, _ = run()
    assert "pindb.I003" not in text
    assert text.count("The DB set 'default' runs in time mode, not in position mode: ") == 1


def test_a_silenced_check_stays_silent() -> None:
    with override_settings(PINDB_PINING_SECONDS=3, SILENCED_SYSTEM_CHECKS=["pindb.W001", "pindb.I005"]):
        assert texts(found("settings"), "unwise") == []


def test_settings_that_do_not_hold_together_end_it_after_the_first_section() -> None:
    with override_settings(DATABASE_SETS={}):
        text, status = run()
    assert status == 1
    assert "  wrong   (pindb.E001) MASTER_DATABASES has " in text
    assert "web:" not in text


def test_an_alias_that_is_missing_is_said_by_the_check_and_does_not_stop_it() -> None:
    with override_settings(MASTER_DATABASES={"ghost": {}}, DATABASE_SETS={"ghost": [{}]}):
        text, status = run()
    assert status == 1
    assert "(pindb.E002) DATABASES lacks 'ghost', 'ghost-1'" in text
    assert text.count("ghost") < 6
    assert "could not look" not in text


def test_a_module_or_views_that_cannot_be_imported_are_findings() -> None:
    with override_settings(ROOT_URLCONF="tests.shop.nowhere"):
        (views,) = texts(found("web"), "wrong")
    assert views.startswith("The views cannot be imported: ModuleNotFoundError: No module named 'tests.shop.nowhere'.")
    (module,) = texts(found("settings", "--import", "tests.shop.nowhere"), "wrong")
    assert module.startswith("'tests.shop.nowhere' cannot be imported: ModuleNotFoundError")


def test_a_section_that_raises_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: object) -> Any:
        raise ZeroDivisionError("by accident")

    monkeypatch.setattr(queues, "_tables", raises)
    (wrong,) = texts(found("queues"), "wrong")
    assert "could not look at the rest of this: ZeroDivisionError: by accident" in wrong
    assert found("servers"), "the others are looked at"


def test_a_timeout_that_is_none_is_refused() -> None:
    with pytest.raises(CommandError, match="over 0"):
        run("--timeout", "0")
