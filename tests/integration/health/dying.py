"""A PostgreSQL server that dies between its accept and a connection's first query."""

from __future__ import annotations

import contextlib
import socketserver
import struct
import threading
from collections.abc import Iterator

NO_TLS = {80877103, 80877104}
"""Requests for TLS or GSS encryption, in the place of a protocol version."""


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


WELCOME = b"".join([
    _message(b"R", struct.pack("!I", 0)),
    _message(b"S", b"server_version\x0016.0\x00"),
    _message(b"S", b"client_encoding\x00UTF8\x00"),
    # Not that of the settings: Django's first statement on a new connection sets it.
    _message(b"S", b"TimeZone\x00Mars/Olympus\x00"),
    _message(b"Z", b"I"),
])  # fmt: skip
SHUT_DOWN = _message(
    b"E", b"SFATAL\x00VFATAL\x00C57P01\x00Mterminating connection due to administrator command\x00\x00"
)


class _Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while True:
            (length, version) = struct.unpack("!II", self.rfile.read(8))
            self.rfile.read(length - 8)
            if version not in NO_TLS:
                break
            self.wfile.write(b"N")
        self.wfile.write(WELCOME)
        if self.rfile.read(1):
            self.wfile.write(SHUT_DOWN)


@contextlib.contextmanager
def dying_server() -> Iterator[int]:
    """Produce the port of a server that lets a client in and is shut down at its first query."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Connection) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
