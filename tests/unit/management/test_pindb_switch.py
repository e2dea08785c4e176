"""`manage.py pindb_switch`: what it sets, what it prints, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.filebased import FileBasedCache
from django.core.management import CommandError, call_command
from django.test import override_settings

from pindb.config import rollout
from pindb.config.database_sets import current_config
from pindb.config.rollout import CACHE_KEY
from pindb.management.commands.pindb_switch import Command


@pytest.fixture(autouse=True)
def _shared_cache(tmp_path: Path) -> Iterator[None]:
    files = {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": tmp_path}
    memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    dummy = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    with override_settings(CACHES={"default": memory, "shared": files, "none": dummy}, PINDB_SWITCH="cache:shared"):
        yield


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("pindb_switch", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("state", ["on", "off", "shadow", "25%"])
def test_a_state_is_kept_for_ever_and_followed(state: str) -> None:
    assert "within 5 seconds" in run(state)
    assert caches["shared"].get(CACHE_KEY) == state
    assert run() == f"{state}\n"
    rollout.forget_switch()
    with override_settings(PINDB_PINNING_SECONDS=16):  # a process that starts now
        assert current_config().rollout == rollout.rollout_of(state, current_config().settings.rollout)


def test_settings_takes_the_state_back() -> None:
    run("off")
    with override_settings(PINDB_REPLICA_SHARE=0.25):
        assert run("settings").startswith("the settings decide: on, 0.25 of all")
        assert run() == "the settings decide: on, 0.25 of all\n"


@pytest.mark.parametrize("state", ["of", "ON", "125%", "0.25", ""])
def test_a_state_that_is_none_is_refused(state: str) -> None:
    with pytest.raises(CommandError, match=r"is no state\. Type on, off, shadow"):
        run(state)
    assert caches["shared"].get(CACHE_KEY) is None


@pytest.mark.parametrize(
    ("switch", "problem"),
    [
        (None, 'needs PINDB_SWITCH = "cache:default"'),
        ("tests.shop.flags.replicas", 'needs PINDB_SWITCH = "cache:default"'),
        ("cache:default", "No other process sees the cache 'default' .LocMemCache"),
        ("cache:none", "No other process sees"),
    ],
)
def test_a_switch_that_the_command_cannot_set_is_told(switch: str | None, problem: str) -> None:
    with override_settings(PINDB_SWITCH=switch), pytest.raises(CommandError, match=problem):
        run("off")


class Forgetful(FileBasedCache):
    """A cache that drops what it is given, as one does whose server is down."""

    def set(self, *_args: Any, **_options: Any) -> None:
        pass


@pytest.mark.parametrize("state", ["off", "settings"])
def test_a_cache_that_keeps_nothing_is_told(tmp_path: Path, state: str) -> None:
    forgetful = {"BACKEND": f"{__name__}.Forgetful", "LOCATION": tmp_path}
    with (
        override_settings(CACHES={"default": forgetful, "shared": forgetful}),
        pytest.raises(CommandError, match="did not keep the state: it has none"),
    ):
        run(state)


class Down(FileBasedCache):
    """A cache whose server is down, and whose library says so."""

    def get(self, *_args: Any, **_options: Any) -> None:
        raise ConnectionError("Connection refused")

    set = get


@pytest.mark.parametrize("arguments", [(), ("off",)])
@pytest.mark.parametrize("backend", [f"{__name__}.Down", "django.core.cache.backends.nope.Nope"])
def test_a_cache_that_cannot_be_used_is_told_without_a_traceback(
    tmp_path: Path, backend: str, arguments: tuple[str, ...]
) -> None:
    broken = {"BACKEND": backend, "LOCATION": tmp_path}
    with (
        override_settings(CACHES={"default": broken, "shared": broken}),
        pytest.raises(CommandError, match=r"The cache 'shared'.* cannot be used .*PINDB_MODE = \"off\""),
    ):
        run(*arguments)


@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [("PINDB_SWITCH", "cache:shred", "Did you mean 'shared'"), ("PINDB_PINNING_SECONDS", "15", "number of seconds")],
)
def test_settings_that_do_not_hold_together_are_told(setting: str, value: str, problem: str) -> None:
    with override_settings(**{setting: value}), pytest.raises(CommandError, match=problem):
        run("off")


def test_an_error_elsewhere_in_the_project_does_not_keep_the_switch_on(tmp_path: Path) -> None:
    command = Command(stdout=StringIO())
    options = vars(command.create_parser("manage.py", "pindb_switch").parse_args(["off"]))
    with override_settings(PINDB_REPORT=str(tmp_path / "none")):  # the system check pindb.E007
        command.execute(**options)
    assert caches["shared"].get(CACHE_KEY) == "off"
