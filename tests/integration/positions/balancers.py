"""One port in front of several servers: a balancer chooses one a connection, a pooler one a transaction."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress


class Balancer:
    """One port that leads each connection to the server of the moment."""

    def __init__(self, port: int) -> None:
        self.target = port
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def cut(self) -> None:
        """Cut all connections that are open."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                self._ends += (client, server)
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Pooler:
    """A port that speaks PostgreSQL, and leads each transaction of a connection to the server that `choose` names.

    As PgBouncer does with `host=A,B` in transaction mode. Its clients need no password.
    """

    def __init__(self, ports: list[int], choose: Callable[[], int]) -> None:
        self._ports = ports
        self._choose = choose
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with ExitStack() as stack, suppress(OSError, EOFError):
            stack.callback(client.close)
            startup = next(packet for packet in _startups(client) if packet is not None)
            servers = {port: socket.create_connection(("127.0.0.1", port)) for port in self._ports}
            for server in servers.values():
                stack.callback(server.close)
                server.sendall(startup)
            greetings = [_until_ready(server)[0] for server in servers.values()]
            client.sendall(_with_own_process_id(greetings[0]))
            port, in_transaction = self._choose(), False
            while True:
                if not in_transaction:
                    port = self._choose()
                request, kind = b"", b""
                while kind not in (b"Q", b"S"):
                    kind, packet = _packet(client)
                    if kind == b"X":
                        return
                    request += packet
                servers[port].sendall(request)
                answer, in_transaction = _until_ready(servers[port])
                client.sendall(answer)


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = source.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def _startups(client: socket.socket) -> Iterator[bytes | None]:
    """Produce the client's first packet, None for each wish for encryption before it, which is refused."""
    while True:
        head = _exactly(client, 8)
        length, code = struct.unpack("!II", head)
        if code in (80877103, 80877104):
            client.sendall(b"N")
            yield None
        else:
            yield head + _exactly(client, length - 8)


def _packet(source: socket.socket) -> tuple[bytes, bytes]:
    head = _exactly(source, 5)
    return head[:1], head + _exactly(source, struct.unpack("!I", head[1:])[0] - 4)


def _with_own_process_id(greeting: bytes) -> bytes:
    """Return a server's greeting with another process id: clients cancel queries with the pooler's."""
    at = greeting.index(b"K\0\0\0") + 5
    return greeting[:at] + b"\0\0\0\7" + greeting[at + 4 :]


def _until_ready(server: socket.socket) -> tuple[bytes, bool]:
    """Return what the server says until it is ready for a query, and whether a transaction is open then."""
    answer, kind, packet = b"", b"", b""
    while kind != b"Z":
        kind, packet = _packet(server)
        answer += packet
    return answer, packet[-1:] != b"I"
