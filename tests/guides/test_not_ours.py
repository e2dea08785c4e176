"""An application that is not ours: a settings file and an app of ours are enough."""

from __future__ import annotations

from tests.guides.site import Site, told

THEIRS = "tests.guides.not_ours.theirs.celery"


def test_before_both_the_next_request_and_the_task_read_stale(site: Site) -> None:
    assert told(site.play("not_ours.before", app=THEIRS)) == {
        "task": "missing",
        "next request": "missing",
        "another user": "replica",
        "task after no write": "replica",
    }


def test_after_nothing_is_stale(site: Site) -> None:
    assert told(site.play("not_ours.after", app=THEIRS)) == {
        "task": "placed",
        "next request": "placed",
        "another user": "replica",
        "task after no write": "replica",
    }


def test_a_task_that_is_published_before_the_write_is_told(site: Site) -> None:
    wrong, right = ("ann POST /pay/1/", "ann POST /pay-at-last/1/")
    said = site.run("not_ours.guarded", "-m", "tests.guides.player", wrong)
    assert "/pay/1/ wrote after it had published tests.guides.orders.tasks.confirm" in said
    assert "wrote after" not in site.run("not_ours.guarded", "-m", "tests.guides.player", right, "bob GET /orders/1/")


def test_a_task_that_cannot_be_decorated_reads_the_master(site: Site) -> None:
    (answer,) = site.play("not_ours.guarded", "bob POST /report/", app=THEIRS)
    assert answer["task"] in {"master", "paid"}, "what only the master has"
