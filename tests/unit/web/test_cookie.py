"""Responses to overlapping requests reach a browser in any order: none takes away a pin of another."""

from __future__ import annotations

import random
from functools import reduce
from typing import Any

import pytest
from django.core.signing import Signer
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings

import pindb
from pindb.core import codec
from pindb.core.frames import current_frame
from pindb.core.pins import NOTHING, Pin, PinnedPosition, PinSet
from pindb.web import cookie, overflow
from pindb.web.cookie import MAX_COOKIES, MAX_FOREIGN, MAX_SIGNED_BYTES, SALT
from pindb.web.middleware import PinDbMiddleware
from tests.carriers import set_cookies

BASE = "pindb_pinned_set"
NOW = 1_763_880_000.0
LONG = "x" * (MAX_SIGNED_BYTES + 1)


@pytest.fixture(autouse=True)
def _no_overflow_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overflow, "_answered", {})


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock of the server, which the test moves."""
    clock = [NOW]
    monkeypatch.setattr("time.time", lambda: clock[0])
    return clock


class Browser:
    """A cookie jar, which takes each Set-Cookie as a step of its own."""

    def __init__(self, *, is_test_client: bool = False) -> None:
        self.jar: dict[str, str] = {}
        self.is_test_client = is_test_client

    def send(self, pins: PinSet = NOTHING, **headers: str) -> HttpResponse:
        """Return the response to a request that pins `pins` on its way, before the browser has seen it."""

        def view(_: HttpRequest) -> HttpResponse:
            unit = current_frame().unit
            for name in pins.timed:
                pindb.pin(name)
            if pins.positioned:  # as if a task had been waited for
                unit.absorb((), PinSet(positioned=pins.positioned))
            return HttpResponse(headers=headers)

        request = RequestFactory().get("/")
        if self.is_test_client:
            request._dont_enforce_csrf_checks = True  # as Django's does
        request.COOKIES.update(self.jar)
        request.META["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        response = PinDbMiddleware(view)(request)
        assert isinstance(response, HttpResponse)
        return response

    def steps(self, response: HttpResponse) -> list[Any]:
        return list(response.cookies.values())

    def take(self, morsel: Any) -> None:
        if morsel["max-age"] == 0:
            self.jar.pop(morsel.key, None)
        else:
            self.jar[morsel.key] = morsel.value

    def receive(self, response: HttpResponse) -> None:
        for morsel in self.steps(response):
            self.take(morsel)

    def pins(self) -> PinSet:
        texts = [
            Signer(salt=SALT).unsign_object(value)
            for name, value in self.jar.items()
            if value and name.startswith(BASE)
        ]
        return reduce(PinSet.join, (codec.decode(text, cookie.time.time()) for text in texts), NOTHING)


def at(offset: int, log: str = "pA.1") -> PinSet:
    return PinSet(positioned={"default": (PinnedPosition(log, offset, NOW + 86400),)})


def covers(pins: PinSet, wanted: PinSet) -> bool:
    return pins.join(wanted) == pins


@pytest.mark.parametrize("seed", range(200))
def test_no_order_of_overlapping_responses_loses_a_pin(seed: int, now: list[float]) -> None:
    """Up to five requests overlap, each Set-Cookie is taken at a moment of its own, and some responses are lost."""
    rng = random.Random(seed)
    browser, under_way, held = Browser(), [], NOTHING
    for step in range(60):
        now[0] += rng.choice([0, 0, 0.4, 1.3])
        if len(under_way) < 5 and rng.random() < 0.5:
            new = rng.choice([NOTHING, PinSet({"default": 1.0}), PinSet({"audit": 1.0}), at(step), at(step, "pA.2")])
            response = browser.send(new)
            under_way.append(browser.steps(response))
        elif under_way:
            steps = rng.choice(under_way)
            if rng.random() < 0.05:
                under_way.remove(steps)  # the connection broke
                continue
            if steps:
                morsel = steps.pop(0)
                browser.take(morsel)
                if morsel.value:
                    held = held.join(codec.decode(Signer(salt=SALT).unsign_object(morsel.value), now[0]))
            if not steps:
                under_way.remove(steps)
        assert covers(browser.pins(), held.alive(now[0])), f"seed {seed}, step {step}"
    assert len(browser.jar) <= 2 * (MAX_COOKIES + 5), "lost responses have not deleted theirs"
    browser.receive(browser.send())
    assert len(browser.jar) <= MAX_COOKIES


def test_one_request_after_the_other_leaves_one_cookie(now: list[float]) -> None:
    browser = Browser()
    for name in ("default", "audit") * 5:
        now[0] += 2
        browser.receive(browser.send(PinSet({name: 1.0})))
        assert len(browser.jar) == 1
    assert set(browser.pins()) == {"default", "audit"}


def test_requests_that_only_read_tidy_up_what_overlapping_ones_left(now: list[float]) -> None:
    browser = Browser()
    overlapping = [browser.send(at(1, f"pA.{number:x}")) for number in range(MAX_COOKIES + 2)]
    for response in overlapping:
        browser.receive(response)
    before = browser.pins()
    assert len(browser.jar) == MAX_COOKIES + 2
    browser.receive(browser.send())
    assert len(browser.jar) == 1
    assert browser.pins() == before
    assert not browser.send().cookies


def test_the_new_cookie_comes_before_the_deletions(now: list[float]) -> None:
    browser = Browser()
    browser.receive(browser.send(PinSet({"default": 1.0})))
    now[0] += 2
    first, *rest = browser.steps(browser.send(PinSet({"audit": 1.0})))
    assert first.value
    assert [morsel.key for morsel in rest] == list(browser.jar)
    assert all(morsel["max-age"] == 0 for morsel in rest)


@override_settings(
    PINDB_PINNING_COOKIE="__Host-pins", PINDB_PINNING_COOKIE_SECURE=True, PINDB_PINNING_COOKIE_SAMESITE="Strict"
)
def test_a_cookie_is_deleted_with_the_attributes_that_it_was_set_with(now: list[float]) -> None:
    browser = Browser()
    browser.receive(browser.send(PinSet({"default": 1.0})))
    now[0] += 2
    new, deleted = browser.steps(browser.send(PinSet({"audit": 1.0})))
    for attribute in ("path", "domain", "secure", "httponly", "samesite"):
        assert new[attribute] == deleted[attribute]


def test_a_cookie_of_a_newer_pindb_stays(now: list[float]) -> None:
    browser = Browser()
    newer = f"{BASE}.0badcafe"
    browser.jar[newer] = Signer(salt=SALT).sign_object("2;more")
    response = browser.send(PinSet({"default": 1.0}))
    assert newer not in response.cookies
    (morsel,) = set_cookies(response)
    pins = codec.decode(Signer(salt=SALT).unsign_object(morsel.value), now[0])
    assert set(pins) == {"default", "*"}, "what it holds is not known"


def test_cookies_of_another_site_on_the_domain_stay_if_they_are_few_and_undamaged(now: list[float]) -> None:
    browser = Browser()
    with override_settings(SECRET_KEY="the other site's"):
        theirs = [browser.send(PinSet({"default": 1.0})) for now[0] in range(int(NOW), int(NOW) + MAX_FOREIGN + 1)]
    *few, one_more = theirs
    for response in few:
        browser.receive(response)
    kept = dict(browser.jar)
    browser.jar |= {f"{BASE}.damaged": "x", cookie._name(BASE, LONG): LONG}
    browser.receive(browser.send(PinSet({"audit": 1.0})))
    assert kept.items() < browser.jar.items()
    assert len(browser.jar) == MAX_FOREIGN + 1
    browser.receive(one_more)
    now[0] += 2
    browser.receive(browser.send(PinSet({"audit": 1.0})))
    assert len(browser.jar) == 1


def test_a_cookie_with_the_plain_name_is_read_and_left_to_lapse(now: list[float]) -> None:
    """An older pindb has set it, during a rolling deploy."""
    browser = Browser()
    browser.jar[BASE] = Signer(salt=SALT).sign_object(codec.encode(PinSet({"audit": NOW + 5})))
    response = browser.send(PinSet({"default": 1.0}))
    assert BASE not in response.cookies
    browser.receive(response)
    assert browser.pins()["audit"] == Pin(NOW + 5)


def test_overlapping_requests_by_the_dozen_fill_no_jar(now: list[float]) -> None:
    browser = Browser()
    browser.jar["sessionid"] = "one"
    responses = [browser.send(at(number, f"pA.{number:x}")) for number in range(100)]
    for response in responses:
        browser.receive(response)
    assert len(browser.jar) <= 1 + overflow.OFTEN + 2
    assert set(browser.pins()) == {"default"}


def test_visitors_without_cookies_behind_one_proxy_keep_their_positions(now: list[float]) -> None:
    for number in range(overflow.OFTEN_WITHOUT_COOKIES):
        browser = Browser()
        browser.receive(browser.send(at(number)))
        assert browser.pins().positioned
    browser = Browser()
    for response in [browser.send(at(number, f"pA.{number:x}")) for number in range(100)]:
        browser.receive(response)
    assert len(browser.jar) <= overflow.OFTEN_WITHOUT_COOKIES


def test_reads_are_not_handed_on_with_a_response_that_a_shared_cache_may_keep() -> None:
    received = cookie.Received(NOTHING, (), deletes_nothing=False)
    request = RequestFactory().get("/")
    for control in ("public, max-age=60", "s-maxage=60"):
        response = HttpResponse(headers={"Cache-Control": control})
        with override_settings(PINDB_CONSISTENCY="position", PINDB_MONOTONIC_READS=True):
            assert cookie.pins_to_set(request, response, current_frame().unit, received) == NOTHING


def test_djangos_test_client_keeps_its_pins() -> None:
    """It sends cookies back, empty, that were deleted."""
    client = Client()

    def respond(name: str) -> None:
        browser = Browser(is_test_client=True)
        browser.jar = {key: morsel.value for key, morsel in client.cookies.items()}
        client.cookies.update(browser.send(PinSet({name: 1.0})).cookies)

    for name in ("default", "audit", "default"):
        respond(name)
    names = set()
    for key, morsel in client.cookies.items():
        if key.startswith(BASE) and morsel.value:
            names |= set(codec.decode(Signer(salt=SALT).unsign_object(morsel.value), cookie.time.time()))
    assert names == {"default", "audit"}


def test_an_empty_cookie_does_not_end_the_protection_of_overlapping_responses() -> None:
    browser = Browser()
    browser.jar = {f"{BASE}.00000000": "", BASE: ""}
    responses = [browser.send(PinSet({name: 1.0})) for name in ("default", "audit")]
    for response in responses:
        browser.receive(response)
    assert set(browser.pins()) == {"default", "audit"}


def test_a_client_that_deletes_no_cookie_gets_one_in_the_end() -> None:
    client = Browser()
    for number in range(40):
        response = client.send(PinSet({("default", "audit")[number % 2]: 1.0}))
        client.jar |= {name: morsel.value for name, morsel in response.cookies.items()}
    assert len(client.jar) <= 2 * cookie.MAX_EMPTY
    assert set(client.pins()) == {"default", "audit"}
