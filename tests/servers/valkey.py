"""``Valkey``: a Valkey (or Redis) server that stores nothing on disk, for one ``with`` block."""

import gc
import socket
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from pindb.testing.servers.processes.keeping import KeptDirectory
from pindb.testing.servers.processes.kept import Kept
from pindb.testing.servers.processes.ports import HOST, start_on_free_port

from .binaries import redis_server

ANSWER_TIMEOUT = 10.0


class Valkey:
    """A server on a free port of 127.0.0.1."""

    process: Kept
    port: int

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            # Nothing is saved unless a client asks for it; then it goes here.
            directory = stack.enter_context(KeptDirectory("pindb-valkey-"))
            options = ["--bind", HOST, "--save", "", "--appendonly", "no", "--dir", str(directory.path)]
            self.process, self.port = start_on_free_port(
                lambda port: Kept([redis_server(), "--port", str(port), *options], directory=directory),
                "Ready to accept connections",
            )
            stack.callback(self.process.stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gc.collect()  # a result of Celery's that is part of a cycle looks for its backend as it goes, and for long
        self._stack.close()

    def url(self, database: int = 0) -> str:
        """Return the URL of one of its databases, as Celery's and Django's settings take it."""
        return f"redis://{HOST}:{self.port}/{database}"

    def flush(self) -> None:
        """Empty all its databases."""
        # Over a plain socket, so that what uses this need not have a client library installed.
        with socket.create_connection((HOST, self.port), timeout=ANSWER_TIMEOUT) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            answer = connection.makefile("rb").readline()
        if answer != b"+OK\r\n":
            raise RuntimeError(f"FLUSHALL was answered {answer!r}")
