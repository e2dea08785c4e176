"""The keeper: a tiny process that holds one process, or one temporary directory, for as long as its stdin is open.

Its stdin is a pipe whose other end the tests' process holds. Whatever ends the tests, be it SIGKILL, the system closes
that end, and the keeper ends what it keeps. It leads a session of its own, so that Ctrl-C in the terminal reaches the
tests alone, which then stop their servers in order.

It is run by file path in an isolated interpreter, so it imports nothing but the standard library.

    keeper.py run [--user UID:GID] --signal NUMBER --grace SECONDS -- COMMAND...
        Writes the process's id to stdout, and ends with its exit status. Orders on stdin, one a line: "kill", or
        "stop SECONDS" (the signal, then SIGKILL after so long). The end of stdin is "stop" with the grace.
    keeper.py directory [--user UID:GID] PARENT PREFIX
        Makes a directory, writes its path to stdout, and removes it at the end of stdin or at any order.
"""

import argparse
import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

REMOVAL_TIMEOUT = 10.0


def main() -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser()
    modes = parser.add_subparsers(dest="mode", required=True)
    run = modes.add_parser("run")
    run.add_argument("--user", type=_user)
    run.add_argument("--signal", type=int, required=True)
    run.add_argument("--grace", type=float, required=True)
    run.add_argument("command", nargs="+")
    directory = modes.add_parser("directory")
    directory.add_argument("--user", type=_user)
    directory.add_argument("parent")
    directory.add_argument("prefix")
    options = parser.parse_args()
    if options.mode == "run":
        return keep_process(options.command, options.user, options.signal, options.grace)
    return keep_directory(options.parent, options.prefix, options.user)


def _user(text: str) -> tuple[int, int]:
    uid, gid = text.split(":")
    return int(uid), int(gid)


def _report(text: str) -> None:
    # Who listens may have died already. The end of stdin says so too, and that is acted on.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, f"{text}\n".encode())
    # Only the keeper's own end says that it is over, so nothing it keeps may hold the pipe.
    os.close(1)


def keep_process(command: list[str], user: tuple[int, int] | None, stop_signal: int, grace: float) -> int:
    """Run the command until it ends by itself or is to be stopped; return its status, 128 + N for signal N."""
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=2,
            stderr=2,
            start_new_session=True,
            user=user[0] if user else None,
            group=user[1] if user else None,
            extra_groups=[] if user else None,
        )
    except OSError as error:
        print(f"cannot run {command[0]}: {error}", file=sys.stderr)  # noqa: T201 - its log
        return 127

    def stop(seconds: float) -> None:
        child.send_signal(stop_signal)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()

    def obey() -> None:
        seconds = grace
        # Unbuffered: a buffered reader that a thread still waits in is a fatal error when the interpreter ends.
        for line in io.FileIO(0):
            if line == b"kill\n":
                child.kill()
            else:
                seconds = float(line.removeprefix(b"stop "))
                break
        stop(seconds)

    threading.Thread(target=obey, daemon=True).start()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: threading.Thread(target=stop, args=(grace,), daemon=True).start())
    _report(str(child.pid))
    status = child.wait()
    # Whatever it had started and not ended, such as the pool of a worker that crashed. macOS answers EPERM for a
    # group of zombies.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    return status if status >= 0 else 128 - status


def keep_directory(parent: str, prefix: str, user: tuple[int, int] | None) -> int:
    """Hold a new directory until stdin ends; return 1 if it could not be removed."""
    # The keepers of the servers in it hold the other end of stdin too. A signal sent to all of them must not take the
    # directory away before they are done.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    path = tempfile.mkdtemp(prefix=prefix, dir=parent)
    try:
        if user:
            os.chown(path, *user)
        _report(path)
        os.read(0, 1)
    finally:
        removed = _remove(path)
    return 0 if removed else 1


def _remove(path: str) -> bool:
    deadline = time.monotonic() + REMOVAL_TIMEOUT
    while time.monotonic() < deadline:
        shutil.rmtree(path, ignore_errors=True)
        if not Path(path).exists():
            return True
        # A process that was killed may have children that write for a moment longer.
        time.sleep(0.01)
    return False


if __name__ == "__main__":
    sys.exit(main())
