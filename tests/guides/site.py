"""The servers that the guides' projects share, and the processes of one project."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers import Kept, PostgresCluster, Valkey

ROOT = Path(__file__).parents[2]
TIMEOUT = 60.0
DATABASES = ("shop", "billing")
TABLE = (
    "CREATE SCHEMA {0}; CREATE TABLE {0}.orders_order (id bigserial PRIMARY KEY, status text NOT NULL); "
    "INSERT INTO {0}.orders_order (status) VALUES ('replica')"
)
LATER = "UPDATE {0}.orders_order SET status = 'master'"
"""What only the master has, for the standby stands still by then."""
STORY = ("ann POST /orders/", "ann GET /orders/2/", "bob GET /orders/1/", "bob POST /report/")


class Site:
    """A PostgreSQL standby that stands still, and a Valkey, for projects that each have tables of their own."""

    def __init__(self, cluster: PostgresCluster, valkey: Valkey, projects: Sequence[str]) -> None:
        self.cluster = cluster
        self.valkey = valkey
        schemas = [schema_of(project) for project in projects]
        for database in DATABASES:
            cluster.create_database(database)
            cluster.master.execute("; ".join(TABLE.format(schema) for schema in schemas), database=database)
        cluster.wait_until_replayed()
        cluster.standbys[0].pause_replay()
        for database in DATABASES:
            cluster.master.execute("; ".join(LATER.format(schema) for schema in schemas), database=database)

    def environment(self, project: str) -> dict[str, str]:
        """Return the environment of a project's processes."""
        hosts = {"master": self.cluster.master, "replica-1": self.cluster.standbys[0]}
        servers: dict[str, Any] = {host: server.settings("") for host, server in hosts.items()}
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "SHOP_"))},
            "DJANGO_SETTINGS_MODULE": "tests.guides.running",
            "GUIDE_PROJECT": project,
            "GUIDE_SERVERS": json.dumps({**servers, "schema": schema_of(project)}),
            "GUIDE_BROKER": self.valkey.url(),
            "GUIDE_RESULTS": self.valkey.url(),
        }

    @contextmanager
    def worker(self, project: str, app: str = "", *options: str, **environment: str) -> Iterator[Kept]:
        """Run a worker of the project while the block runs."""
        command = [sys.executable, "-m", "celery", "-A", app or f"tests.guides.{project}.celery", "worker"]
        lean = ["--pool", "solo", "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"]
        env = self.environment(project) | environment
        with Kept([*command, *lean, *options], env=env, cwd=ROOT) as process:
            yield process

    def run(self, project: str, *command: str, **environment: str) -> str:
        """Run a Python module of the project to its end and return its output."""
        env = self.environment(project) | environment
        with Kept([sys.executable, *command], env=env, cwd=ROOT) as process:
            status = process.wait(TIMEOUT)
            assert status == 0, process.log_text()
            return process.log_text()

    def play(
        self, project: str, *steps: str, app: str = "", worker: Mapping[str, str] | None = None, **environment: str
    ) -> list[dict[str, Any]]:
        """Run the project's worker, with more variables than the web has maybe; return the answers to the steps."""
        with self.worker(project, app, **environment, **(worker or {})) as process:
            try:
                out = self.run(project, "-m", "tests.guides.player", *(steps or STORY), **environment)
            except AssertionError as error:
                error.add_note(f"The worker's log:\n{process.log_text()}")
                raise
        answers: list[dict[str, Any]] = json.loads(out.splitlines()[-1])
        return answers


def schema_of(project: str) -> str:
    """Return the name of the schema that has a project's tables."""
    return project.replace(".", "_")


def told(answers: list[dict[str, Any]]) -> dict[str, str]:
    """Return in words what the story showed: "placed" is right, "missing" is stale; the rest says where was read."""
    placed, next_request, another, after_no_write = answers
    return {
        "task": placed["task"],
        "next request": next_request["saw"],
        "another user": another["saw"],
        "task after no write": after_no_write["task"],
    }
