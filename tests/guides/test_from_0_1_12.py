"""From 0.1.12: its recipe for Celery lets tasks read stale; with today's line they do not."""

from __future__ import annotations

from tests.guides.site import Site, told


def test_before_the_recipe_lets_tasks_read_stale(site: Site) -> None:
    assert told(site.play("from_0_1_12.before")) == {
        "task": "missing",
        "next request": "placed",
        "another user": "replica",
        "task after no write": "replica",
    }


def test_after_nothing_is_stale(site: Site) -> None:
    assert told(site.play("from_0_1_12.after")) == {
        "task": "placed",
        "next request": "placed",
        "another user": "replica",
        "task after no write": "replica",
    }
