"""MySQL's server for the tests: downloaded from Debian's unstable suite into a private folder, for there is no wheel.

    python -m tests.servers.mysql_install

Nothing is installed on the machine: apt-get runs with a configuration and a state of its own, and the packages (about
60 MB) are unpacked beside the C library that they want. The folder is ``~/.cache/pindb-tests/mysql``, or what
``PINDB_TEST_MYSQL`` names. It is kept for the next run: that suite moves, and may lack a package for a while.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VARIABLE = "PINDB_TEST_MYSQL"
PACKAGE = "mysql-server-core"
SUITE = "sid"
TIMEOUT = 600.0
MISSING = "There is no MySQL server. On Debian, type: python -m tests.servers.mysql_install"

KEPT = ("usr/sbin", "usr/lib", "usr/share/mysql")
CONFIGURATION = """\
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "{folder}/state";
Dir::State::Status "{folder}/status";
Dir::Cache "{folder}/cache";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
APT::Install-Recommends "false";
APT::Sandbox::User "";
"""

# Users that may come from 127.0.0.1. The second one owns the tests' databases, and has no other privilege.
USERS = "CREATE USER root@'%', shop@'%'; GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"


class CannotBeHadError(Exception):
    """Why there is no MySQL."""


class Installation:
    """What ``install`` has left in a folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.data = folder / "data"
        """A data directory without databases: what a server starts on is a copy."""

    @property
    def command(self) -> list[str]:
        """The server with its own C library, and the options that it needs to find its files."""
        loader = next(path for path in sorted(self.root.glob("usr/lib/**/ld-linux*.so.*")) if not path.is_symlink())
        libraries = next(self.root.glob("usr/lib/*/libc.so.6")).parent
        return [
            str(loader), "--library-path", str(libraries), str(self.root / "usr/sbin/mysqld"), "--no-defaults",
            f"--basedir={self.root / 'usr'}", f"--lc-messages-dir={self.root / 'usr/share/mysql'}",
            # Root may run it, unlike PostgreSQL and MariaDB. Its clients cannot reach files.
            *(["--user=root"] if os.geteuid() == 0 else []), "--secure-file-priv=NULL",
            "--auto-generate-certs=OFF", "--caching-sha2-password-auto-generate-rsa-keys=OFF", "--mysqlx=OFF",
            "--innodb-redo-log-capacity=16M", "--innodb-buffer-pool-size=16M",
        ]  # fmt: skip


def folder() -> Path:
    return Path(os.environ.get(VARIABLE) or Path.home() / ".cache" / "pindb-tests" / "mysql")


def installed() -> Installation | None:
    """Return what is there; None if nothing is."""
    found = Installation(folder())
    return found if found.data.is_dir() else None


def install() -> Installation:
    """Return what is there, downloaded first if need be. Raises `CannotBeHadError`."""
    target = folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if found := installed():
            return found
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            _unpack(_download(Path(scratch)), made / "root")
            initialized = Installation(made)
            users = made / "users.sql"
            users.write_text(USERS)
            _run([*initialized.command, "--initialize-insecure", f"--init-file={users}", f"--datadir={made / 'data'}"])
            (made / "data/auto.cnf").unlink()  # its UUID: each copy gets one of its own
            if target.exists():
                shutil.rmtree(target)
            made.rename(target)
        return Installation(target)


def _download(scratch: Path) -> list[Path]:
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise CannotBeHadError("this machine has no apt-get and dpkg-deb")
    for name in ("state/lists/partial", "cache/archives/partial"):
        (scratch / name).mkdir(parents=True)
    (scratch / "status").touch()  # nothing is installed: all that it needs is downloaded
    keys = [path for path in (Path("/usr/share/keyrings/debian-archive-keyring.gpg"),) if path.exists()]
    options = f"[signed-by={keys[0]}] " if keys else ""
    (scratch / "sources.list").write_text(f"deb {options}{_mirror()} {SUITE} main\n")
    configuration = scratch / "apt.conf"
    configuration.write_text(CONFIGURATION.format(folder=scratch))
    environment = {**os.environ, "APT_CONFIG": str(configuration), "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-q", "--error-on=any"], env=environment)
    _run(["apt-get", "install", "-qy", "--download-only", PACKAGE], env=environment)
    return sorted((scratch / "cache/archives").glob("*.deb"))


def _mirror() -> str:
    """Return the address of the Debian archive that this machine has its packages from."""
    addresses = _run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]).split()
    for address in addresses:
        if address.rstrip("/").endswith("/debian"):
            return address
    raise CannotBeHadError("this machine has no packages from a Debian archive")


def _unpack(packages: list[Path], root: Path) -> None:
    everything = root.with_name("everything")
    for package in packages:
        _run(["dpkg-deb", "--extract", str(package), str(everything)])
    for name in KEPT:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (everything / name).rename(root / name)
    shutil.rmtree(everything)


def _run(command: list[str], env: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command, env=env, cwd="/", capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBeHadError(f"{command[0]}: {error}") from error
    if done.returncode:
        tail = (done.stderr.strip() or done.stdout.strip() or "no word of why").splitlines()[-3:]
        raise CannotBeHadError(f"{' '.join(command[:2])} failed: {' / '.join(tail)}")
    return done.stdout


if __name__ == "__main__":
    try:
        print("MySQL is in", install().root.parent)
    except CannotBeHadError as reason:
        sys.exit(f"MySQL cannot be had: {reason}")
