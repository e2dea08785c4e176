"""Free TCP ports, and starting a server on one although somebody else may take it first."""

import socket
from collections.abc import Callable

from pindb.testing.servers.processes.kept import Kept, ProcessEndedError

HOST = "127.0.0.1"
TRIES = 5
START_TIMEOUT = 30.0


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def start_on_free_port(
    start: Callable[[int], Kept],
    ready: str,
    choose_port: Callable[[], int] = free_port,
    *,
    timeout: float = START_TIMEOUT,
) -> tuple[Kept, int]:
    """Start a server on a port of its own; return it, and the port, once its log says ``ready``, within ``timeout``.

    The log is what is asked, not the port: on a port that somebody else took, somebody else would answer.
    """
    for number in range(1, TRIES + 1):
        port = choose_port()
        process = start(port)
        try:
            process.wait_for_log(ready, timeout=timeout)
        except BaseException as error:
            process.stop()
            port_was_taken = isinstance(error, ProcessEndedError) and "Address already in use" in process.log_text()
            if number == TRIES or not port_was_taken:
                raise
        else:
            return process, port
    raise AssertionError("unreachable: the last try returns or raises")
