"""A request that saves its session pins sessions alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.signals import user_logged_in
from django.core.management import call_command
from django.test import AsyncClient, Client, override_settings

import pindb
from tests.integration.apart.place import Place, handed_on, places, reads_replica, statements

pytestmark = pytest.mark.usefixtures("place")

SESSIONS, CUSTOMERS, USERS = "django_session", "shop_customer", "auth_user"


@pytest.fixture(params=["sync", "async"])
def get(request: pytest.FixtureRequest) -> Any:
    """Ask for a page as a browser does, with the cookies that it has."""
    if request.param == "sync":
        client = Client()
        return lambda page, **query: client.get(f"/{page}", query).json()
    asynchronous = AsyncClient()
    return lambda page, **query: async_to_sync(asynchronous.get)(f"/{page}/async", query).json()


@pytest.mark.parametrize("consistency", ["time", "position"])
def test_the_request_after_a_saved_session_reads_it_on_the_master_and_all_else_on_the_replica(
    get: Any, consistency: str
) -> None:
    with override_settings(PINDB_CONSISTENCY=consistency):
        get("visit", seen="new")
        with statements() as seen:
            page = get("look")
    assert page == {"seen": "new", "customers": 1, "pins": ["default.sessions"]}
    assert places(seen, SESSIONS) == {"default"}
    assert places(seen, CUSTOMERS) == {"default-1"}


def test_a_session_that_is_saved_again_is_the_newest_one(get: Any) -> None:
    for value in ("first", "second"):
        get("visit", seen=value)
        assert get("look")["seen"] == value


def test_an_old_session_is_read_on_the_replica() -> None:
    client = Client()
    client.cookies["sessionid"] = "old-session"
    with statements() as seen:
        page = client.get("/look").json()
    assert page["seen"] == "old"
    assert places(seen, SESSIONS) == places(seen, CUSTOMERS) == {"default-1"}
    assert len(client.cookies) == 1, "nothing is handed on"


@pytest.fixture
def _old_session_is_back() -> Iterator[None]:
    from django.contrib.sessions.models import Session

    with pindb.pinning_context(), pindb.master("default"):
        old = Session.objects.get(pk="old-session")
    yield
    with pindb.pinning_context(), pindb.master("default"):
        old.save(force_insert=True)


@pytest.mark.usefixtures("_old_session_is_back")
def test_a_session_that_was_forgotten_is_gone_although_the_replica_has_it() -> None:
    client = Client()
    client.cookies["sessionid"] = "old-session"
    client.get("/leave")
    client.cookies["sessionid"] = "old-session"
    with statements() as seen:
        assert client.get("/look").json()["seen"] is None
    assert places(seen, CUSTOMERS) == {"default-1"}


def test_sessions_that_are_saved_with_each_request_leave_all_else_on_the_replica() -> None:
    client = Client()
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True), statements() as seen:
        client.get("/visit", {"seen": "new"})
        assert [client.get("/look").json()["seen"] for _ in range(3)] == ["new"] * 3
    assert places(seen, CUSTOMERS) == {"default-1"}


def test_the_command_that_clears_sessions_pins_sessions_alone() -> None:
    call_command("clearsessions")
    assert handed_on() == {"default.sessions"}
    assert reads_replica()


@pytest.fixture
def _no_last_login(place: Place) -> Iterator[None]:
    """A site that does not note when a user was there."""
    from django.contrib.auth.models import update_last_login

    user_logged_in.disconnect(update_last_login, dispatch_uid="update_last_login")
    yield
    user_logged_in.connect(update_last_login, dispatch_uid="update_last_login")


@pytest.mark.usefixtures("_no_last_login")
def test_who_logs_in_is_logged_in_and_reads_replicas() -> None:
    client = Client()
    assert client.get("/who").json()["user"] == ""
    assert client.get("/login").status_code == 200
    with statements() as seen:
        page = client.get("/who").json()
    assert page["user"] == "ada"
    assert places(seen, SESSIONS) == {"default"}
    assert places(seen, USERS) == places(seen, CUSTOMERS) == {"default-1"}


@pytest.mark.parametrize("router", ["GreedyPinDbRouter"], indirect=True)
def test_a_login_that_is_noted_with_its_user_pins_the_users_too(place: Place) -> None:
    client = Client()
    client.get("/login")
    with statements() as seen:
        assert client.get("/who").json()["user"] == "ada"
    assert places(seen, SESSIONS) == places(seen, USERS) == {"default"}
