"""Serves the shop over HTTP, a thread for each request: `python -m tests.shop.serve PORT`, 0 for any free port."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

from django.core.wsgi import get_wsgi_application

from tests.shop.tables import create_tables

HOST = "127.0.0.1"


class ThreadingServer(ThreadingMixIn, WSGIServer):
    """Ends without waiting for requests; lets more than the usual five clients wait."""

    daemon_threads = True
    request_queue_size = 128


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
