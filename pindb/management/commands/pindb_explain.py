"""`manage.py pindb_explain /orders/7/`: where the queries of a request go, and why; with `--task`, those of a task."""

from __future__ import annotations

import json
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from pindb.management import requests, tasks

OF_REQUESTS: Final = {"method": "--method", "data": "--data", "user": "--user"}
OF_TASKS: Final = {"args_text": "--args", "kwargs_text": "--kwargs"}
"""Options that belong to one of the two forms, by what argparse calls them."""


class Command(BaseCommand):
    """Prints a table or JSON."""

    help = (
        "Sends a request to the project, or runs a task, in this process and on the real databases, and says of each "
        "query where it went and why. A request that may write, a POST for example, needs --write. With --user the "
        "session is kept in a cookie, so that no session is read or written. A task needs --write in any case. Its "
        "body runs once, here, in a unit of work with nothing pinned; no message is sent for it. Tasks that it "
        "enqueues ARE enqueued, and workers run them. A retry is not: it counts as an error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", nargs="?", help='the path of a request, e.g. "/orders/7/?page=2"')
        parser.add_argument("--method", type=str.upper, help="GET by default")
        parser.add_argument("--data", action="append", metavar="KEY=VALUE", help="a form field, or more")
        parser.add_argument("--user", metavar="NAME", help="the name of the user who is signed in")
        parser.add_argument(
            "--task", metavar="NAME", help="a Celery task, a Dramatiq actor, or the dotted path of any function"
        )
        parser.add_argument("--args", dest="args_text", metavar="JSON", help="the task's arguments, e.g. '[7]'")
        parser.add_argument("--kwargs", dest="kwargs_text", metavar="JSON", help="""e.g. '{"order_id": 7}'""")
        parser.add_argument("--write", action="store_true", help="allow what may write to the databases")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        path, task = options["path"], options["task"]
        if (path is None) == (task is None):
            raise CommandError(
                "Type either the path of a request, pindb_explain /orders/7/, or a task, "
                "pindb_explain --task shop.tasks.confirm --args '[7]' --write."
            )
        for name, option in (OF_TASKS if task is None else OF_REQUESTS).items():
            if options[name] is not None:
                kind, other = ("request", "task") if task is None else ("task", "request")
                raise CommandError(f"{option} is for a {other}, and this is a {kind}. Leave it out.")
        may_write = options["write"]
        if task is None:
            explained = requests.send(
                path, options["method"] or "GET", options["user"], options["data"] or (), may_write=may_write
            )
        else:
            explained = tasks.run(
                task, options["args_text"] or "[]", options["kwargs_text"] or "{}", may_write=may_write
            )
        self.stdout.write(json.dumps(explained.document(), indent=1) if options["json"] else str(explained))
        if explained.error is not None:
            raise CommandError(f"The task has raised {explained.facts['error']}") from explained.error
