"""In an ASGI application: what a socket and a thread read stale, and what is pinned for too long."""

from __future__ import annotations

import json

from tests.guides.site import Site


def play(site: Site, project: str) -> dict[str, str]:
    answers: dict[str, str] = json.loads(site.run(project, "-m", "tests.guides.asgi.player").splitlines()[-1])
    return answers


def test_before_a_socket_and_a_thread_read_stale(site: Site) -> None:
    assert play(site, "asgi.before") == {
        "the order of the page": "missing",
        "after no write": "replica",
        "after a write in the message": "master",
        "the message after that": "master",
        "in a thread of the view": "missing",
    }


def test_after_they_do_not_and_a_message_pins_itself_alone(site: Site) -> None:
    assert play(site, "asgi.after") == {
        "the order of the page": "placed",
        "after no write": "replica",
        "after a write in the message": "master",
        "the message after that": "replica",
        "in a thread of the view": "placed",
    }
