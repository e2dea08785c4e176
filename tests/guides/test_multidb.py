"""From django-multidb-router: what its project reads stale, what the guide's does not, and what is left in between."""

from __future__ import annotations

import json

from tests.guides.site import STORY, Site, told

MORE = (
    "bob GET /invoice/1/",
    "cid GET /visit/",
    "cid GET /orders/1/",
    "dan POST /search/1/",
    "eve POST /cancel/1/",
)


def test_before_a_task_reads_stale(site: Site) -> None:
    answers = site.play("multidb.before", *STORY, *MORE)
    assert told(answers[:4]) == {
        "task": "missing",
        "next request": "placed",
        "another user": "replica",
        "task after no write": "replica",
    }
    assert [answer.get("saw") for answer in answers[4:]] == ["master", None, "master", "master", "master"]


def test_after_nothing_is_stale_and_a_post_that_only_reads_uses_the_replica(site: Site) -> None:
    answers = site.play("multidb.after", *STORY, *MORE)
    assert told(answers[:4]) == {
        "task": "placed",
        "next request": "placed",
        "another user": "replica",
        "task after no write": "replica",
    }
    assert [answer.get("saw") for answer in answers[4:]] == ["master", None, "master", "replica", "master"]


def test_half_way_an_old_name_does_nothing_and_the_checks_say_so(site: Site) -> None:
    assert site.play("multidb.halfway", "bob GET /invoice/1/") == [{"saw": "replica"}]
    said = site.run("multidb.halfway", "-m", "django", "check")
    assert "MULTIDB_PINNING_SECONDS, REPLICA_DATABASES are settings of django-multidb-router" in said
    assert "MIDDLEWARE has 'multidb.middleware.PinningRouterMiddleware'" in said
    assert "tests.guides.multidb.before.shop uses db_write, use_primary_db of django-multidb-router" in said
    assert "(pindb.W030) 'replica1' in DATABASES looks like a replica of 'default'" in said


def test_after_the_checks_say_nothing_of_multidb(site: Site) -> None:
    assert "multidb" not in site.run("multidb.after", "-m", "django", "check")


def test_each_post_can_read_the_master_as_with_multidb(site: Site) -> None:
    said = site.run("multidb.posts", "-m", "tests.guides.player", "dan POST /search/1/", "dan GET /orders/1/")
    assert [answer["saw"] for answer in json.loads(said.splitlines()[-1])] == ["master", "replica"]
