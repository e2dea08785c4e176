"""Settings: defaults, live reading, and values that cannot be used."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

import pindb
from pindb import PinDbConfigError
from pindb.config import settings as pindb_settings
from pindb.config.database_sets import current_config
from tests.shop.models import Order


def test_the_defaults_are_the_documented_ones() -> None:
    assert pindb_settings.load_settings() == pindb_settings.Settings(
        enabled=True,
        delegate_routers=pindb_settings.load_settings().delegate_routers,
        pinning_seconds=15,
        pinning_cookie="pindb_pinned_set",
        pinning_cookie_secure=False,
        pinning_cookie_httponly=True,
        pinning_cookie_samesite="Lax",
        pinning_cookie_domain=None,
        pinning_cookie_path="/",
        reads_in_atomic="master",
        missing_header="replica",
        max_lag_seconds=None,
        health_seconds=5,
        position_wait_seconds=0.05,
        replica_retry_seconds=10,
    )


@override_settings(SESSION_COOKIE_SECURE=True, SESSION_COOKIE_DOMAIN=".shop.test", SESSION_COOKIE_PATH="/shop")
def test_the_cookie_goes_where_the_session_goes() -> None:
    settings = pindb_settings.load_settings()
    assert (settings.pinning_cookie_secure, settings.pinning_cookie_domain) == (True, ".shop.test")
    assert settings.pinning_cookie_path == "/shop"


def test_settings_follow_override_settings() -> None:
    assert current_config().settings.pinning_seconds == 15
    with override_settings(PINDB_PINNING_SECONDS=3):
        assert current_config().settings.pinning_seconds == 3
    assert current_config().settings.pinning_seconds == 15


def test_a_unit_of_work_keeps_its_replica_when_the_settings_are_read_again() -> None:
    before = pindb.get_replica("default")
    for _ in range(4):
        with override_settings(PINDB_PINNING_SECONDS=3):
            assert pindb.get_replica("default") == before
    with override_settings(DATABASE_SETS={"default": [{}], "audit": [{}]}):
        assert pindb.get_replica("default") == "default-1"


def test_a_unit_of_work_follows_changed_settings() -> None:
    router = pindb.GreedyPinDbRouter()
    with pindb.unpinned_replica("audit"):
        before = router.db_for_read(Order)
        assert before != "default"
        with override_settings(PINDB_ENABLED=False):
            assert router.db_for_read(Order) == "default"
        with override_settings(DATABASE_SETS={"default": [], "audit": []}, PINDB_DELEGATE_ROUTERS=[]):
            assert router.db_for_read(Order) == "default"
        assert router.db_for_read(Order) != "default"


@pytest.mark.parametrize("delegates", ["shop.Router", ["shop.Router"]])
def test_the_old_name_for_a_delegate_is_accepted(delegates: Any) -> None:
    with override_settings(PINDB_DELEGATE_ROUTERS=["first.Router"], DATABASE_ROUTER_DELEGATE=delegates):
        assert pindb_settings.load_settings().delegate_routers == ("first.Router", "shop.Router")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PINDB_ENABLED", "no", "True or False"),
        ("PINDB_PINNING_SECONDS", 0, "over 0"),
        ("PINDB_PINNING_SECONDS", -1, "over 0"),
        ("PINDB_PINNING_SECONDS", "15", "a number of seconds"),
        ("PINDB_PINNING_SECONDS", True, "a number of seconds"),
        ("PINDB_PINNING_SECONDS", float("nan"), "a number of seconds"),
        ("PINDB_PINNING_SECONDS", float("inf"), "at most a week"),
        ("PINDB_MAX_LAG_SECONDS", 0, "over 0"),
        ("PINDB_HEALTH_SECONDS", None, "a number of seconds"),
        ("PINDB_POSITION_WAIT_SECONDS", -0.1, "a number of seconds, at most a week; 0: no wait"),
        ("PINDB_POSITION_WAIT_SECONDS", False, "a number of seconds, at most a week; 0: no wait"),
        ("PINDB_REPLICA_RETRY_SECONDS", "10", "a number of seconds"),
        ("PINDB_PINNING_COOKIE", "", "a name for a cookie"),
        ("PINDB_PINNING_COOKIE", "a b;c", "a name for a cookie"),
        ("PINDB_PINNING_COOKIE", "sessionid", "a name for a cookie that has none yet"),
        ("PINDB_PINNING_COOKIE_PATH", "", "not empty"),
        ("PINDB_PINNING_COOKIE_DOMAIN", 7, "not empty"),
        ("PINDB_PINNING_COOKIE_SAMESITE", "lax", "Did you mean 'Lax'"),
        ("PINDB_READS_IN_ATOMIC", "mastr", "Did you mean 'master'"),
        ("PINDB_MISSING_HEADER", ["replica"], "one of 'replica', 'master'"),
        ("PINDB_DELEGATE_ROUTERS", 5, "a list of routers"),
    ],
)
def test_a_value_that_cannot_be_used_says_what_to_type(name: str, value: Any, says: str) -> None:
    with override_settings(**{name: value}), pytest.raises(PinDbConfigError, match=f"{name} is .*{says}"):
        pindb_settings.load_settings()


def test_the_choices_are_told_once_with_the_nearest_of_them_first() -> None:
    for value, remedy in (
        ("x", "Write one of 'replica', 'master'."),
        ("mastr", "Did you mean 'master'? Write one of 'replica', 'master'."),
    ):
        with override_settings(PINDB_MISSING_HEADER=value), pytest.raises(PinDbConfigError) as caught:
            pindb_settings.load_settings()
        assert caught.value.remedy == remedy


def test_samesite_false_means_none_as_in_django() -> None:
    with override_settings(PINDB_PINNING_COOKIE_SAMESITE=False):
        assert pindb_settings.load_settings().pinning_cookie_samesite is None


@pytest.mark.parametrize("value", ["sessions", None, [1], ["shop.Order.total"], [""], {"sessions": 1}])
@pytest.mark.parametrize("name", ["PINDB_SEPARATE_PINS", "PINDB_MASTER_ONLY"])
def test_labels_that_are_none_are_refused(name: str, value: Any) -> None:
    with override_settings(**{name: value}), pytest.raises(PinDbConfigError, match=f"{name} is .* Write app labels"):
        pindb_settings.load_settings()
