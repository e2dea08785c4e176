"""`--cookie`: what a cookie or a token means to this process, and why it cannot be read."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import pytest
from django.core.signing import Signer
from django.test import override_settings

import pindb
from pindb.core import codec
from pindb.core.pins import PinnedPosition, PinSet
from pindb.web import cookie
from tests.unit.management.doctor.running import found

KEY, OLD = "the key of this site, long enough", "the key it had before, long enough"


@pytest.fixture
def value() -> str:
    """A cookie that pins "default" for 10 s more."""
    with override_settings(SECRET_KEY=KEY):
        return cookie.SIGNED.sign(codec.encode(PinSet({"default": time.time() + 10})))


def said(value: str, **settings: Any) -> tuple[str, str]:
    """Return the verdict and text of the one finding about a cookie."""
    with override_settings(**{"SECRET_KEY": KEY, **settings}):
        (finding,) = found("cookie", "--cookie", value)
    return finding["verdict"], finding["text"]


@pytest.mark.parametrize(
    "form", ["{}", "pindb_pinned_set={}", "pindb_pinned_set.0a1b2c3d={}; Path=/; HttpOnly", '"{}"']
)
def test_a_cookie_of_this_site_is_read_however_it_is_copied(value: str, form: str) -> None:
    verdict, text = said(form.format(value))
    assert verdict == "ok"
    assert text.startswith("This process can read the cookie, which SECRET_KEY has signed. It pins 'default' for ")
    assert said(form.format(quote(value)))[0] == "ok"


def test_a_cookie_of_another_key_is_told_with_what_it_holds(value: str) -> None:
    verdict, text = said(value, SECRET_KEY=OLD, SECRET_KEY_FALLBACKS=["one more key that does not fit"])
    assert verdict == "wrong"
    assert text.startswith("Another key has signed the cookie than those of this process (")
    assert "If it is genuine, it pins 'default' for " in text
    with override_settings(SECRET_KEY=OLD):
        fingerprint = found("web")[1]["text"].split("fingerprint ")[1][:8]
    assert f"({fingerprint}, " in text
    assert OLD not in text


def test_a_cookie_of_a_fallback_is_read_and_told(value: str) -> None:
    verdict, text = said(value, SECRET_KEY=OLD, SECRET_KEY_FALLBACKS=[KEY])
    assert verdict == "ok"
    assert "which SECRET_KEY_FALLBACKS[0] has signed" in text


def test_a_token_is_told_from_a_cookie() -> None:
    with override_settings(SECRET_KEY=KEY), pindb.pinning_context():
        pindb.pin("audit")
        token = pindb.token()
    assert "This process can read the token, which SECRET_KEY has signed. It pins 'audit' for 1" in said(token)[1]


def test_a_cookie_that_is_damaged_cut_or_something_else_is_told(value: str) -> None:
    assert "is no cookie of pindb: it has no signature" in said("hello")[1]
    assert "is no cookie of pindb" in said(value.partition(":")[0])[1]
    assert "damaged or cut off" in said(value[5:])[1]
    assert "damaged or cut off" in said("abc:def")[1]
    assert "characters, which none of pindb's has" in said(value * 50)[1]


def signed(text: str) -> str:
    return Signer(key=KEY, salt=cookie.SALT).sign_object(text)


def test_what_a_cookie_holds_is_told() -> None:
    now = time.time()
    assert "lapsed 40." in said(signed(codec.encode(PinSet({"default": now - 40}))))[1]
    assert said(signed(codec.encode(PinSet())))[1].endswith("It pins nothing.")
    assert "every DB set for" in said(signed(codec.encode(PinSet({"*": now + 10}))))[1]
    position = PinSet({}, {"default": (PinnedPosition("pA.1", 0x5F, now + 100),)})
    assert "It pins 'default' until a replica has pA.1:5f, at most 1" in said(signed(codec.encode(position)))[1]
    verdict, text = said(signed("2;default=1763880015123"))
    assert (verdict, "A newer pindb has written the cookie" in text) == ("unwise", True)
    verdict, text = said(signed("1;nonsense"))
    assert (verdict, "cannot be read" in text) == ("unwise", True)


def test_a_db_set_that_this_process_does_not_know_is_told() -> None:
    with override_settings(SECRET_KEY=KEY):
        read, unknown = found("cookie", "--cookie", signed(codec.encode(PinSet({"stock": time.time() + 10}))))
    assert (read["verdict"], unknown["verdict"]) == ("ok", "unwise")
    assert "pins 'stock', which this process does not know" in unknown["text"]
