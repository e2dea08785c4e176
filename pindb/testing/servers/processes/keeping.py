"""The tests' end of a keeper (see ``keeper.py``), and temporary directories that a keeper removes."""

import contextlib
import os
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, Self

from pindb.testing.servers.processes.account import Account

KEEPER = Path(__file__).with_name("keeper.py")
# How much longer than it was told to take a keeper may take.
KEEPER_MARGIN = 60.0


class Keeper:
    """A running keeper process. Dropping this object, in whatever way, ends what the keeper keeps."""

    _all: ClassVar[weakref.WeakSet["Keeper"]] = weakref.WeakSet()

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        log: IO[bytes] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(KEEPER), *arguments],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=env,
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._orders = self.process.stdin
        with self.process.stdout as reports:
            self.report = reports.readline().decode().strip()
        self._all.add(self)

    def fileno(self) -> int:
        """Return the descriptor that keeps the keeper waiting while anybody holds it."""
        return self._orders.fileno()

    def tell(self, order: str) -> None:
        """Give the keeper an order, unless what it keeps has ended already."""
        if not self._orders.closed:
            with contextlib.suppress(BrokenPipeError):
                self._orders.write(f"{order}\n".encode())

    def close(self, timeout: float = 0.0) -> None:
        """Have the keeper stop what it keeps within ``timeout``; return when it is done."""
        if not self._orders.closed:
            # Said and not only shown by closing: a copy of the descriptor may live on in a forked process.
            self.tell(f"stop {timeout}")
            self._orders.close()
            try:
                self.process.wait(timeout + KEEPER_MARGIN)
            except KeyboardInterrupt:
                # It is being stopped all the same; who is told that all is over shall be told the truth.
                self.process.wait(timeout + KEEPER_MARGIN)
                raise

    @classmethod
    def let_go_in_forked_process(cls) -> None:
        """Close this process's copies of the pipes: they belong to the process it was forked from."""
        for keeper in cls._all:
            keeper._orders.close()


os.register_at_fork(after_in_child=Keeper.let_go_in_forked_process)


class KeptDirectory:
    """A temporary directory that is gone when this process and every process kept in it have ended."""

    def __init__(self, prefix: str, account: Account | None = None) -> None:
        parent = tempfile.gettempdir()
        if account is not None:
            parent = account.first_that_can_be_entered([parent, "/tmp"])  # noqa: S108 - mkdtemp makes the rest of the path
        user = ["--user", account.uid_gid] if account else []
        self.keeper = Keeper(["directory", *user, "--", parent, prefix])
        if not self.keeper.report:
            raise RuntimeError(f"could not make a temporary directory in {parent}; the reason was printed to stderr")
        self.path = Path(self.keeper.report)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.keeper.close()
        if self.keeper.process.returncode:
            raise RuntimeError(f"could not remove {self.path}")
