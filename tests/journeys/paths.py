"""The paths that browsers take through the store, click by click: a reader's and a shopper's."""

from __future__ import annotations

from random import Random

from tests.journeys.browsers import Browser
from tests.journeys.store.migrations import TAKEN

READER, SHOPPER = "reader", "shopper"
CLICKS = {READER: 12, SHOPPER: 14}
"""How many clicks each path has."""
PASSWORD = "a quite long phrase 31"


def sign_up(browser: Browser) -> None:
    """Become a user of the store."""
    account = {"username": browser.name, "password1": PASSWORD, "password2": PASSWORD}
    browser.post("/signup", account, user=browser.name, customer=browser.name)


def read(browser: Browser, chance: Random) -> None:
    """A signed-in user looks around, and writes nothing but the session."""
    who = {"user": browser.name, "cart": 0}
    browser.get("/", **who)
    for _ in range(2):
        for _ in range(3):
            browser.get(f"/products/{chance.randint(1, 20)}", **who)
        browser.get("/account", customer=browser.name, **who)
        browser.get("/", **who)
    browser.get("/orders", orders=[], **who)


def shop(browser: Browser, chance: Random) -> int | None:
    """Somebody looks around, fills a cart, signs up and checks out, with a mistake in each form; return the order."""
    first, second = chance.sample(range(1, 21), 2)
    browser.get("/", user="", cart=0)
    browser.get(f"/products/{first}", cart=0)
    browser.post(f"/products/{first}/add", {"quantity": 1}, cart=1)
    browser.get(f"/products/{second}", cart=1)
    browser.post(f"/products/{second}/add", {"quantity": 2}, cart=2)
    browser.get("/signup", cart=2)
    browser.post("/signup", {"username": TAKEN, "password1": PASSWORD, "password2": PASSWORD}, user="", cart=2)
    sign_up(browser)
    browser.get("/checkout", user=browser.name, cart=2)
    browser.post("/checkout", {"reference": TAKEN, "street": "Main Street 1"}, user=browser.name, cart=2)
    page = browser.post("/checkout", {"reference": browser.name, "street": "Main Street 1"}, cart=0)
    order: int | None = page.get("order")
    browser.get(f"/orders/{order}", order=order, street="Main Street 1", user=browser.name)
    browser.get("/orders", orders=[order], user=browser.name)
    browser.get("/", user=browser.name, cart=0)
    return order
