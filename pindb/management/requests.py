"""Sends a request to the project, as a browser would, and records its queries."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends import signed_cookies
from django.core.management.base import CommandError
from django.db import DatabaseError
from django.http import QueryDict
from django.test import Client, override_settings
from django.test.client import ClientHandler

from pindb.exceptions import first_line
from pindb.lines import telling_lines
from pindb.management.explained import Explained
from pindb.monitoring.queries import QueryRecorder

READING: Final = ("GET", "HEAD", "OPTIONS")


def send(path: str, method: str, user: str | None, fields: Iterable[str], *, may_write: bool) -> Explained:
    """Send a request with the form's `fields`, each NAME=VALUE; `user` is signed in.

    Raises `CommandError` if it may write and is not allowed to, and for what is mistyped.
    """
    if method not in READING and not may_write:
        raise CommandError(f"A {method} may write to the real databases. Type --write to send it all the same.")
    if not path.startswith("/"):
        url = urlsplit(path)  # copied from a browser, perhaps
        right = urlunsplit(("", "", url.path or "/", url.query, "")) if url.netloc else f"/{path}"
        raise CommandError(f"{path!r} is no path of this site. Type {right}")
    with override_settings(**({"SESSION_ENGINE": signed_cookies.__name__} if user else {})):
        client = Client(raise_request_exception=False)
        client.handler = _Handler(enforce_csrf_checks=False)
        if user:
            _sign_in(client, user)
        form = QueryDict(mutable=True)
        for text in fields:
            form.appendlist(*_field(text))
        request = getattr(client, method.lower(), None) or functools.partial(client.generic, method)
        with QueryRecorder() as recorder:
            response: Any = request(path, form, headers={"host": _host()}, secure=settings.SECURE_SSL_REDIRECT)
            if response.streaming:
                b"".join(response)
            response.close()
    status = response.status_code
    return Explained(f"{method} {path}: status {status}", {"status": status}, recorder.queries)


class _Handler(ClientHandler):
    """Has an async view tell its lines. Django runs it in an event loop of its own, once it is made atomic."""

    def make_view_atomic(self, view: Callable[..., Any]) -> Callable[..., Any]:
        view = super().make_view_atomic(view)
        if not iscoroutinefunction(view):
            return view

        @functools.wraps(view)
        async def telling(*args: Any, **kwargs: Any) -> Any:
            return await telling_lines(view(*args, **kwargs))

        return telling


def _host() -> str:
    """Return a host that the project answers to."""
    return next((host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*"), "localhost")


def _field(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise CommandError(f"--data {text!r} is no field. Type --data NAME=VALUE.")
    return name, value


def _sign_in(client: Client, name: str) -> None:
    """Give `client` the session of a user: as `force_login()` does, but without a write."""
    model = get_user_model()
    try:
        user = model._default_manager.get_by_natural_key(name)  # type: ignore[attr-defined]
    except model.DoesNotExist:
        raise CommandError(f"There is no user {name!r}.") from None
    except DatabaseError as error:
        raise CommandError(
            f"The user {name!r} could not be looked up ({first_line(error)}). Type manage.py pindb_status to see which "
            "server is down."
        ) from error
    session = signed_cookies.SessionStore()
    session[SESSION_KEY] = user._meta.pk.value_to_string(user)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
