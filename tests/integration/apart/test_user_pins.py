"""Clients that keep neither cookies nor a header read what their user has written: the pins are kept for the user."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import caches
from django.test import AsyncClient, Client, override_settings

import pindb
from pindb.once import Once
from pindb.web import user_pins
from tests.carriers import pins_of

pytestmark = [
    pytest.mark.usefixtures("place"),
    pytest.mark.parametrize("router", ["GreedyPinDbRouter"], indirect=True),
]

MASTER, REPLICA = "default", "default-1"
ADA = "ada"  # her name is her key


@pytest.fixture(autouse=True)
def _kept() -> Iterator[None]:
    caches["default"].clear()
    # The sessions of these clients are newer than the standby.
    with override_settings(
        ROOT_URLCONF="tests.integration.apart.api",
        PINDB_USER_PINS="cache:default",
        PINDB_MASTER_ONLY=["sessions"],
        PINDB_SEPARATE_PINS=[],
    ):
        yield
    caches["default"].clear()


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex


def user(name: str) -> Any:
    from django.contrib.auth.models import User

    with pindb.pinning_context(), pindb.master("default"):
        return User.objects.get(username=name)


def signed_in(client: Any) -> Any:
    with pindb.pinning_context(), pindb.master("default"):
        client.force_login(user("ada"))
    return client


def get(path: str, key: str = "", **query: str) -> dict[str, Any]:
    """Ask as a client does that has no cookies."""
    headers = {"authorization": f"Token {key}"} if key else {}
    found: dict[str, Any] = Client().get(f"/{path}", query, headers=headers).json()
    return found


def post(key: str, name: str) -> None:
    response = Client().post("/customers", {"name": name}, headers={"authorization": f"Token {key}"})
    assert response.status_code == 201


@pytest.mark.parametrize("consistency", ["time", "position"])
def test_a_token_client_finds_what_it_has_just_created(consistency: str, name: str) -> None:
    with override_settings(PINDB_CONSISTENCY=consistency):
        assert get("customers", ADA, name=name) == {"found": 0, "alias": REPLICA}
        for number in range(5):
            post(ADA, f"{name}-{number}")
            assert get("customers", ADA, name=name)["alias"] == MASTER
    assert get("customers", ADA, name=name)["found"] == 5


def test_a_cache_in_a_table_is_read_on_the_master(name: str) -> None:
    with override_settings(PINDB_USER_PINS="cache:table"):
        post(ADA, name)
        assert get("customers", ADA, name=name) == {"found": 1, "alias": MASTER}


def test_without_the_setting_it_does_not(name: str) -> None:
    with override_settings(PINDB_USER_PINS=None):
        post(ADA, name)
        assert get("customers", ADA, name=name) == {"found": 0, "alias": REPLICA}


def test_another_user_reads_the_replica(name: str) -> None:
    post(ADA, name)
    assert get("customers", "bea", name=name) == {"found": 0, "alias": REPLICA}


def test_what_one_session_writes_other_clients_of_the_user_read(name: str) -> None:
    writer, reader = signed_in(Client()), signed_in(AsyncClient())
    caches["default"].clear()
    writer.get("/shop", {"name": name})
    assert async_to_sync(reader.get)("/shop/async", {"name": name}).json() == {"found": 1, "alias": MASTER}
    assert get("customers", ADA, name=name) == {"found": 1, "alias": MASTER}


@override_settings(PINDB_MASTER_ONLY=[], PINDB_SEPARATE_PINS=pindb.SEPARATE_PINS)
def test_a_client_with_a_pin_of_its_session_alone_reads_what_another_one_writes(name: str) -> None:
    reader = Client()
    reader.get("/visit", {"seen": name})
    signed_in(reader)
    assert reader.get("/shop/async", {"name": name}).json() == {"found": 0, "alias": REPLICA}
    post(ADA, name)
    assert reader.get("/shop/async", {"name": name}).json() == {"found": 1, "alias": MASTER}


@pytest.mark.parametrize("key", ["tests.integration.apart.api.owner", lambda request: request.GET.get("buyer")])
def test_a_webhook_about_a_buyer_reads_what_the_buyers_browser_has_written(key: Any, name: str) -> None:
    with override_settings(PINDB_USER_PINS_KEY=key):
        signed_in(Client()).get("/shop", {"name": name, "buyer": "7"})
        assert get("webhook", name=name, buyer="7") == {"found": 1, "alias": MASTER}
        assert get("webhook", name=name, buyer="8") == {"found": 0, "alias": REPLICA}
        assert get("webhook", name=name) == {"found": 0, "alias": REPLICA}


def test_pins_of_two_devices_are_joined(name: str) -> None:
    with override_settings(PINDB_PINNING_SECONDS=60):
        post(ADA, f"{name}-1")
    with override_settings(PINDB_PINNING_SECONDS=1):
        post(ADA, f"{name}-2")
    text = caches["default"].get(user_pins._key(f"user {user('ada').pk}"))
    assert pins_of(text).end - time.time() > 30


def test_a_view_that_looks_at_no_user_keeps_the_pins_of_one_whom_the_standby_lacks(name: str) -> None:
    from django.contrib.auth.models import User

    with pindb.pinning_context(), pindb.master("default"):
        newcomer = User.objects.create_user(name)
        client = Client()
        client.force_login(newcomer)
    caches["default"].clear()
    client.get("/quiet", {"name": name})
    assert caches["default"].get(user_pins._key(f"user {newcomer.pk}")) is not None


@pytest.mark.parametrize("failing", ["cache", "key"])
def test_what_fails_is_logged_once_and_no_request_fails(
    failing: str, name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_pins, "_warned", Once())
    down = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1"}
    changed: dict[str, Any] = {"CACHES": {"default": down}}
    if failing == "key":
        changed = {"PINDB_USER_PINS_KEY": lambda request: request.nothing}
    with override_settings(**changed), caplog.at_level(logging.WARNING, "pindb"):
        for number in range(2):
            post(ADA, f"{name}-{number}")
            assert get("customers", ADA, name=name) == {"found": 0, "alias": REPLICA}
    assert [record.getMessage().startswith(("The cache of", "PINDB_USER_PINS_KEY")) for record in caplog.records] == [
        True
    ]


def test_a_request_without_a_cookie_asks_the_cache_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    cache = type(caches["default"])
    original = cache.get

    def counting(self: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(key)
        return original(self, key, *args, **kwargs)

    monkeypatch.setattr(cache, "get", counting)
    get("customers", ADA, name=name)
    assert len([key for key in asked if "user_pins" in key]) == 1
    asked.clear()
    get("show")
    assert asked == []
