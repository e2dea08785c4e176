"""From a router of one's own with two masters: each DB set has pins of its own, and what was stale is not."""

from __future__ import annotations

from tests.guides.site import STORY, Site, told

MORE = ("dan POST /invoices/", "dan GET /invoices/2/", "dan GET /orders/1/", "bob GET /invoices/1/")


def test_before_both_the_next_request_and_the_task_read_stale(site: Site) -> None:
    answers = site.play("own_router.before", *STORY, *MORE)
    assert told(answers[:4]) == {
        "task": "missing",
        "next request": "missing",
        "another user": "replica",
        "task after no write": "replica",
    }
    assert [answer.get("saw") for answer in answers[5:]] == ["missing", "replica", "replica"]


def test_after_nothing_is_stale_and_one_master_does_not_pin_the_other(site: Site) -> None:
    answers = site.play("own_router.after", *STORY, *MORE)
    assert told(answers[:4]) == {
        "task": "placed",
        "next request": "placed",
        "another user": "replica",
        "task after no write": "replica",
    }
    assert [answer.get("saw") for answer in answers[5:]] == ["sent", "replica", "replica"]
