"""`manage.py pindb_explain /orders/7/`: where the queries of a request go, and why."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends import signed_cookies
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import QueryDict
from django.test import Client, override_settings

from pindb.api.explain import as_table
from pindb.lines import short_line
from pindb.monitoring.queries import Query, QueryRecorder, summary

READING: Final = ("GET", "HEAD", "OPTIONS")
LONGEST_SQL: Final = 60
HEADINGS: Final = ("alias", "reason", "the pin comes from", "sent at", "query")


class Command(BaseCommand):
    """Prints a table or JSON."""

    help = (
        "Sends a request to the project, in this process and to the real databases, and says of each query where it "
        "went and why. A request that may write, a POST for example, needs --write. With --user the session is kept "
        "in a cookie, so that no session is read or written."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", help='the path, e.g. "/orders/7/?page=2"')
        parser.add_argument("--method", default="GET", type=str.upper, help="GET by default")
        parser.add_argument("--data", action="append", default=[], metavar="KEY=VALUE", help="a form field, or more")
        parser.add_argument("--user", metavar="NAME", help="the name of the user who is signed in")
        parser.add_argument("--write", action="store_true", help="allow a request that may write to the databases")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        method, path = options["method"], options["path"]
        if method not in READING and not options["write"]:
            raise CommandError(f"A {method} may write to the real databases. Type --write to send it all the same.")
        if not path.startswith("/"):
            raise CommandError(f"{path!r} is no path of this site. Type /{path}")
        with override_settings(**({"SESSION_ENGINE": signed_cookies.__name__} if options["user"] else {})):
            client = Client(raise_request_exception=False)
            if options["user"]:
                _sign_in(client, options["user"])
            fields = QueryDict(mutable=True)
            for text in options["data"]:
                fields.appendlist(*_field(text))
            send = getattr(client, method.lower(), None) or partial(client.generic, method)
            with QueryRecorder() as recorder:
                response: Any = send(path, fields, headers={"host": _host()}, secure=settings.SECURE_SSL_REDIRECT)
                if response.streaming:
                    b"".join(response)
                response.close()
        queries = recorder.queries
        if options["json"]:
            document = {"status": response.status_code, "queries": [asdict(query) for query in queries]}
            self.stdout.write(json.dumps(document, indent=1))
        else:
            table = as_table([HEADINGS, *map(_row, queries)])
            self.stdout.write(f"{method} {path}: status {response.status_code}\n\n{table}\n\n{summary(queries)}")


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
    session = signed_cookies.SessionStore()
    session[SESSION_KEY] = user._meta.pk.value_to_string(user)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)


def _row(query: Query) -> tuple[str, ...]:
    return query.alias, query.reason, short_line(query.origin), short_line(query.line), query.short_sql(LONGEST_SQL)
