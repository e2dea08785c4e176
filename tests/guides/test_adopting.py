"""An application that is not ours: a settings file and an app of ours are enough."""

from __future__ import annotations

from tests.guides.site import Site, told

THEIRS = "tests.guides.adopting.theirs.celery"


def test_before_both_the_next_request_and_the_task_read_stale(site: Site) -> None:
    assert told(site.play("adopting.before", app=THEIRS)) == {
        "task": "missing",
        "next request": "missing",
        "another user": "replica",
        "task after no write": "replica",
    }


def test_after_nothing_is_stale(site: Site) -> None:
    assert told(site.play("adopting.after", app=THEIRS)) == {
        "task": "placed",
        "next request": "placed",
        "another user": "replica",
        "task after no write": "replica",
    }
