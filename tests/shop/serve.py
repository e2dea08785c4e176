"""Serves the shop over HTTP, with a number of threads: `python -m tests.shop.serve PORT`, 0 for any free port."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIServer, make_server

from django.core.wsgi import get_wsgi_application

from tests.shop.tables import create_tables

HOST = "127.0.0.1"
THREADS = 32
END_SECONDS = 5.0


class PoolServer(WSGIServer):
    """Has so many threads for requests; answers what it has accepted before it ends, and lets many clients wait."""

    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._accepted: SimpleQueue[tuple[Any, Any] | None] = SimpleQueue()
        self._answering = [Thread(target=self._answer, daemon=True) for _ in range(THREADS)]
        for thread in self._answering:
            thread.start()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Leave it to the next thread that has nothing to do."""
        self._accepted.put((request, client_address))

    def server_close(self) -> None:
        """Accept no more requests, and give those that are being answered a little time."""
        super().server_close()
        for _ in self._answering:
            self._accepted.put(None)
        deadline = time.monotonic() + END_SECONDS
        for thread in self._answering:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _answer(self) -> None:
        while (accepted := self._accepted.get()) is not None:
            request, address = accepted
            try:
                self.finish_request(request, address)
            except Exception:
                self.handle_error(request, address)
            finally:
                self.shutdown_request(request)


def main(port: int) -> None:
    """Make tables that are missing, then serve until killed; say so once connections are accepted."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
    # By default SIGTERM ends a process without its clean-up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    application = get_wsgi_application()
    create_tables()
    with make_server(HOST, port, application, server_class=PoolServer) as server, suppress(KeyboardInterrupt):
        print(f"Serving the shop at http://{HOST}:{server.server_port}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
