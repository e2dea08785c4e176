"""From django_replicated: a page after a POST that does not redirect is stale, and its workers read the master."""

from __future__ import annotations

from tests.guides.site import STORY, Site, told

MORE = ("bob GET /invoice/1/", "dan POST /search/1/")


def test_before_the_next_request_is_stale_and_tasks_read_the_master(site: Site) -> None:
    answers = site.play("replicated.before", *STORY, *MORE)
    assert told(answers[:4]) == {
        "task": "placed",
        "next request": "missing",
        "another user": "replica",
        "task after no write": "master",
    }
    assert [answer["saw"] for answer in answers[4:]] == ["master", "replica"]


def test_after_nothing_is_stale_and_tasks_read_the_replica(site: Site) -> None:
    answers = site.play("replicated.after", *STORY, *MORE)
    assert told(answers[:4]) == {
        "task": "placed",
        "next request": "placed",
        "another user": "replica",
        "task after no write": "replica",
    }
    assert [answer["saw"] for answer in answers[4:]] == ["master", "replica"]
