"""Serves the shop over HTTP, with a number of threads: `python -m tests.shop.serve PORT`, 0 for any free port."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from queue import SimpleQueue
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIServer, make_server

from django.core.wsgi import get_wsgi_application

from tests.shop.tables import create_tables

HOST = "127.0.0.1"
THREADS = 32


class ThreadingServer(ThreadingMixIn, WSGIServer):
    """Has so many threads for requests; ends without waiting for these; lets more than the usual five clients wait."""

    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._accepted: SimpleQueue[tuple[Any, Any]] = SimpleQueue()
        for _ in range(THREADS):
            Thread(target=self._answer, daemon=True).start()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Leave it to the next thread that has nothing to do."""
        self._accepted.put((request, client_address))

    def _answer(self) -> None:
        while True:
            self.process_request_thread(*self._accepted.get())


def main(port: int) -> None:
    """Make tables that are missing, then serve until killed; say so once connections are accepted."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
    # By default SIGTERM ends a process without its clean-up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    application = get_wsgi_application()
    create_tables()
    with make_server(HOST, port, application, server_class=ThreadingServer) as server, suppress(KeyboardInterrupt):
        print(f"Serving the shop at http://{HOST}:{server.server_port}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
