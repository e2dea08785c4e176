"""Groups of which not everything is known: their callbacks read masters, and no group fails for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings
from dramatiq.rate_limits.backends import StubBackend

import pindb_dramatiq
from tests.unit.pindb_dramatiq.groups import EVERYTHING, Groups
from tests.unit.pindb_dramatiq.sites import Site


class Failing(StubBackend):
    """A backend that fails for the keys that are pindb's own, from a moment on."""

    def __init__(self, fails: Callable[[str, str], bool]) -> None:
        super().__init__()
        self.fails = fails

    def add(self, key: str, value: int, ttl: int) -> bool:
        self._check("add", key)
        return bool(super().add(key, value, ttl))

    def decr(self, key: str, amount: int, minimum: int, ttl: int) -> bool:
        self._check("decr", key)
        return bool(super().decr(key, amount, minimum, ttl))

    def _check(self, what: str, key: str) -> None:
        if "@pindb" in key and self.fails(what, key):
            raise ConnectionError


def from_the(number: int) -> Callable[[str, str], bool]:
    """Fail from the operation of that number on."""
    numbers = itertools.count(1)
    return lambda what, key: next(numbers) >= number


@pytest.mark.parametrize(
    ("fails", "says"),
    [
        (lambda what, key: True, "cannot count the members"),
        (lambda what, key: what == "decr", "cannot keep the pins"),
        (lambda what, key: what == "add" and "@pindb:" in key, "cannot count the members"),
        (lambda what, key: what == "add" and "@pindb-set" in key, "cannot keep the pins"),
        (from_the(5), "cannot read the pins"),
    ],
)
def test_a_backend_that_fails_fails_no_group_and_its_callbacks_read_masters(
    fails: Any, says: str, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    groups = Groups(site, Failing(fails))
    groups.run(groups.members("audit", None))
    with site.working():
        assert groups.pinned() == EVERYTHING
    assert says in caplog.text


@override_settings(PINDB_ENABLED=False)
def test_disabled_the_backend_is_asked_for_nothing_of_pindbs_own(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    groups = Groups(site, Failing(lambda what, key: True))
    groups.run(groups.members("audit", None))
    with site.working():
        assert groups.pinned() == []
    assert not [record for record in caplog.records if record.name.startswith("pindb")]


def test_one_member_that_could_not_be_recorded_means_masters(site: Site) -> None:
    failed: list[str] = []

    def fails_once(what: str, key: str) -> bool:
        failed.append(key)
        return len(failed) == 2  # after the count was set: the first thing that a member does

    groups = Groups(site, Failing(fails_once))
    groups.run(groups.members(None, "audit", None, None))
    with site.working():
        assert groups.pinned() == EVERYTHING


def test_a_group_that_was_run_without_pindb_means_masters(site: Site) -> None:
    groups = Groups(site, StubBackend())
    pindb_dramatiq.uninstall(site.broker)
    groups.run(groups.members(None, None))
    pindb_dramatiq.install(site.broker)
    with site.working():
        assert groups.pinned() == EVERYTHING


def test_a_member_that_knows_other_db_sets_means_masters(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """During a deploy: it may have pinned a set that the process of the last member has not heard of."""
    groups = Groups(site, StubBackend())
    names = pindb_dramatiq.groups._names

    @site.actor
    def be_older() -> None:
        monkeypatch.setattr(pindb_dramatiq.groups, "_names", names)

    monkeypatch.setattr(pindb_dramatiq.groups, "_names", lambda pins: names(pins) | {"newest"})
    groups.run([*groups.members(None), be_older.message()])
    with site.working():
        assert groups.pinned() == EVERYTHING
