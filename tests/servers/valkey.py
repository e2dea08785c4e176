"""``Valkey``: a Valkey (or Redis) server for one ``with`` block. ``DurableValkey``: one that survives a restart."""

import gc
import socket
from contextlib import ExitStack
from typing import ClassVar

from pindb.testing.servers.processes.keeping import KeptDirectory
from pindb.testing.servers.processes.kept import Kept
from pindb.testing.servers.processes.ports import HOST, start_on_free_port
from pindb.testing.servers.processes.started import Started

from .binaries import redis_server

ANSWER_TIMEOUT = 10.0
READY = "Ready to accept connections"


class Valkey(Started):
    """A server on a free port of 127.0.0.1. It stores nothing on disk."""

    persistence: ClassVar = ("--appendonly", "no")
    process: Kept
    port: int

    def _start_all(self, stack: ExitStack) -> None:
        # Nothing is saved unless a client asks for it; then it goes here.
        self._directory = stack.enter_context(KeptDirectory("pindb-valkey-"))
        self.process, self.port = start_on_free_port(self._start, READY)
        stack.callback(self._stop)

    def _stop(self) -> None:
        gc.collect()  # a result of Celery's that is part of a cycle looks for its backend as it goes, and for long
        self.process.stop()

    def _start(self, port: int) -> Kept:
        options = ["--bind", HOST, "--save", "", *self.persistence, "--dir", str(self._directory.path)]
        return Kept([redis_server(), "--port", str(port), *options], directory=self._directory)

    def url(self, database: int = 0) -> str:
        """Return the URL of one of its databases, as Celery's and Django's settings take it."""
        return f"redis://{HOST}:{self.port}/{database}"

    def flush(self) -> None:
        """Empty all its databases."""
        answer = self._told(b"FLUSHALL")
        if answer != b"+OK\r\n":
            raise RuntimeError(f"FLUSHALL was answered {answer!r}")

    def cut_connections(self) -> None:
        """Close all connections to it."""
        self._told(b"CLIENT KILL TYPE normal SKIPME yes")

    def _told(self, command: bytes) -> bytes:
        """Return the first line of its answer."""
        # Over a plain socket, so that what uses this need not have a client library installed.
        with socket.create_connection((HOST, self.port), timeout=ANSWER_TIMEOUT) as connection:
            connection.sendall(command + b"\r\n")
            return connection.makefile("rb").readline()


class DurableValkey(Valkey):
    """A server that has each command on disk before it answers."""

    persistence: ClassVar = ("--appendonly", "yes", "--appendfsync", "always")

    def restart(self) -> None:
        """Kill the server, and start it again on its port; return when it answers, with all that it had answered."""
        self.process.kill()
        self.process.stop()
        self.process, _ = start_on_free_port(self._start, READY, lambda: self.port)
