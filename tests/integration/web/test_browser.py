"""Overlapping answers in a real browser: none of them takes away what another one has pinned (guarantee G2)."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.signing import Signer
from django.test import override_settings

from pindb.web import overflow
from pindb.web.cookie import MAX_COOKIES, SALT
from tests.carriers import pins_of
from tests.servers import PostgresCluster, wait_until

from .browser import Browser, Tab
from .site import Late, Site

MANY = 20


def read_from(tab: Tab, site: Site, what: str) -> str:
    """Return the alias that the site reads for this tab's next request."""
    alias: str = tab.followed(site.url(f"/read/{what}"))["alias"]
    return alias


def read_rows(tab: Tab, site: Site) -> tuple[str, list[int]]:
    """Return the alias that the site reads for this tab's next request, and the customers that it finds there."""
    page = tab.followed(site.url("/read/customer"))
    return page["alias"], page["rows"]


def held(tab: Tab, site: Site, path: str, place: str = "network") -> Late:
    """Have the tab send a form whose answer is held back; return when the answer is."""
    late = site.late()
    tab.send(site.url(path, **{place: late}))
    late.wait_until_held()
    return late


def arrived(tab: Tab, late: Late) -> Any:
    """Let an answer go; return what it says when its tab shows it."""
    late.let_go()
    return tab.page()


@pytest.mark.usefixtures("timed")
@pytest.mark.parametrize("place", ["view", "network"])
def test_a_slow_answer_does_not_take_away_the_pin_of_another_tab(browser: Browser, site: Site, place: str) -> None:
    slow, quick = browser.tab(site.url("/")), browser.tab(site.url("/"))
    assert read_from(quick, site, "customer") != "default"
    late = held(slow, site, "/write/customer", place)
    quick.posted(site.url("/write/entry"))
    assert read_from(quick, site, "customer") != "default", "the slow answer is not there yet"
    arrived(slow, late)
    for tab in (slow, quick):
        assert read_from(tab, site, "customer") == "default"
        assert read_from(tab, site, "entry") == "audit"


def test_a_slow_answer_does_not_put_an_older_position_in_place_of_a_newer_one(
    browser: Browser, site: Site, goods: PostgresCluster
) -> None:
    slow, quick = browser.tab(site.url("/")), browser.tab(site.url("/"))
    late = held(slow, site, "/write/customer")
    goods.wait_until_replayed()
    goods.standbys[0].pause_replay()
    newer = quick.posted(site.url("/write/customer"))["row"]
    older = arrived(slow, late)["row"]
    for tab in (slow, quick):
        alias, rows = read_rows(tab, site)
        assert alias == "goods", "the replica has the older row only"
        assert {older, newer} <= set(rows)
    goods.standbys[0].resume_replay()
    wait_until(lambda: read_rows(slow, site)[0] == "goods-1", 30, "the replica has both and is read")


def test_a_slow_readers_answer_does_not_take_away_a_writers_pin(
    browser: Browser, site: Site, goods: PostgresCluster
) -> None:
    slow, quick = browser.tab(site.url("/")), browser.tab(site.url("/"))
    with override_settings(PINDB_MONOTONIC_READS=True):
        goods.standbys[0].pause_replay()
        late = site.late()
        slow.follow(site.url("/read/customer", network=late))
        late.wait_until_held()
        row = quick.posted(site.url("/write/customer"))["row"]
        before = arrived(slow, late)
        assert before["alias"] == "goods-1"
        assert row not in before["rows"]
        cookies = len(slow.cookies())
        for tab in (slow, quick):
            alias, rows = read_rows(tab, site)
            assert alias == "goods"
            assert row in rows
        assert cookies == 2, "the reader's answer has brought one, too"


@pytest.mark.usefixtures("timed")
def test_of_many_writes_at_once_none_loses_its_pin(browser: Browser, site: Site) -> None:
    tab = browser.tab(site.url("/"))
    answers = [site.late() for _ in range(MANY)]
    paths = ["/write/customer", "/write/entry"] * (MANY // 2)
    tab.fetch([site.url(path, port=port, network=answers[port]) for port, path in enumerate(paths)])
    for late in answers:
        late.wait_until_held()
    for late in answers:
        late.let_go()
    tab.await_answers(range(MANY))
    assert len(tab.cookies()) < MANY, "equal pins make equal cookies"
    assert read_from(tab, site, "customer") == "default"
    assert read_from(tab, site, "entry") == "audit"
    assert 1 <= len(tab.cookies()) <= MAX_COOKIES


def test_of_many_positions_at_once_the_newest_counts_and_few_cookies_hold_one(
    browser: Browser, site: Site, goods: PostgresCluster
) -> None:
    tab = browser.tab(site.url("/"))
    tab.posted(site.url("/write/customer"))
    _, rows = read_rows(tab, site)
    answers = [site.late() for _ in range(MANY)]
    for number, late in enumerate(answers):
        tab.fetch([site.url("/write/customer", port=number, network=late)])
        late.wait_until_held()
        if number == 0:
            goods.wait_until_replayed()
            goods.standbys[0].pause_replay()
    for number in reversed(range(MANY)):
        answers[number].let_go()
        tab.await_answers([number])
    texts = [Signer(salt=SALT).unsign_object(value) for value in tab.cookies()]
    alias, rows_now = read_rows(tab, site)
    assert alias == "goods", "the replica has the oldest row only, whose answer came last"
    assert len(rows_now) == len(rows) + MANY
    assert sum(bool(pins_of(text).positioned) for text in texts) == overflow.OFTEN
    assert len(tab.cookies()) == 1, "the next request has joined them"


@pytest.mark.usefixtures("timed")
def test_a_post_from_another_site_brings_no_cookies_and_takes_none_away(browser: Browser, site: Site) -> None:
    """A payment provider sends its customer back by a form, and browsers send no Lax cookies with that."""
    tab, payment = browser.tab(site.url("/")), browser.tab(site.url("/", host="localhost"))
    assert tab.posted(site.url("/write/customer"))["cookies"] == 0
    assert payment.posted(site.url("/write/entry"))["cookies"] == 0, "the browser has one, and has not sent it"
    for each in (tab, payment):
        assert read_from(each, site, "customer") == "default"
        assert read_from(each, site, "entry") == "audit"
    assert tab.followed(site.url("/"))["cookies"] == 2, "from a page of the site itself they are sent"
