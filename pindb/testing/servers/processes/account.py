"""The account PostgreSQL runs under when the tests run as root, whom it refuses to serve."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """A user without privileges, with no groups but its own."""

    uid: int
    gid: int

    @classmethod
    def for_postgres(cls) -> "Account | None":
        """Return the account to change to, or None to stay who we are."""
        if os.geteuid() != 0:
            return None
        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid)

    @property
    def uid_gid(self) -> str:
        """The account as the keeper's command line takes it."""
        return f"{self.uid}:{self.gid}"

    def can_run(self, command: Sequence[str | Path]) -> bool:
        """Tell whether the command succeeds under this account: trying it minds every rule the system has."""
        try:
            done = subprocess.run(
                command, user=self.uid, group=self.gid, extra_groups=[], cwd="/", capture_output=True, check=False
            )
        except PermissionError:
            return False
        return done.returncode == 0

    def first_that_can_be_entered(self, directories: Sequence[str]) -> str:
        """Return the first directory this account can change into."""
        for directory in directories:
            if self.can_run(["/bin/sh", "-c", 'cd "$0"', directory]):
                return directory
        raise RuntimeError(f"user {self.uid} can enter none of {directories}; set TMPDIR to a directory it can")
