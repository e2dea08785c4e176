"""The worlds: small ones for `make test`, larger ones for `make model`."""

from __future__ import annotations

from typing import Final

from tests.model.eager_worlds import EAGER
from tests.model.failing_worlds import CRASHES, FAILOVERS
from tests.model.scenario import (
    MONOTONIC,
    POSITIONS,
    Scenario,
    last_request,
    member,
    request,
    script,
    task,
    with_three_replicas,
)
from tests.model.steps import Begin, Commit, Elsewhere, Read, Rollback, Together, Write
from tests.model.task_steps import End, EndEager, Interrupt, Publish, Receive, Requeue, StartEager, Take
from tests.model.two_sets_worlds import TWO_SETS
from tests.model.web_steps import Arrive, Request, Respond

WEB: Final = (
    Scenario(
        "one tab, the clock jumps",
        (
            script("the first request", Request(), Read(), Write("order 1"), Read(), Respond(), Arrive()),
            request("the second request", Read(), after="the first request"),
            last_request("the third request", Read(), after="the second request"),
        ),
        jumps=(10.5, 20.0, 30.0),
    ),
    Scenario(
        "two tabs that overlap, the clock jumps",
        (
            request("tab one's first request", Write("order 1")),
            last_request("tab one's second request", Read(), after="tab one's first request"),
            request("tab two's request", Write("order 2")),
        ),
        replicas=1,
        jumps=(10.0, 20.0),
    ),
    Scenario(
        "two tabs that overlap, with log positions",
        (
            request("tab one's first request", Write("order 1")),
            last_request("tab one's second request", Read(), after="tab one's first request"),
            request("tab two's request", Write("order 2")),
        ),
        replicas=1,
        **POSITIONS,
    ),
    Scenario(
        "two tabs write one after the other, the clock jumps",
        (
            request("the first request", Write("order 1")),
            request("the second request", Write("order 2"), after="the first request"),
            last_request("the third request", Read(), after="the second request"),
        ),
        replicas=1,
        jumps=(10.0, 20.0),
    ),
    Scenario(
        "one tab reads, with monotonic reads",
        (
            script("the import", Elsewhere("article 1")),
            request("the first request", Read()),
            last_request("the second request", Read(), after="the first request"),
        ),
        **MONOTONIC,
    ),
    Scenario(
        "one tab reads in a transaction, then a replica, with monotonic reads",
        (
            script("the import", Elsewhere("article 1")),
            script(
                "the first request",
                Together(Request(), Begin(), Read(), Commit()),
                Together(Read(), Respond()),
                Arrive(),
            ),
            last_request("the second request", Read(), after="the first request"),
        ),
        **MONOTONIC,
    ),
    Scenario(
        "two tabs read, with monotonic reads",
        (
            script("the import", Elsewhere("article 1")),
            request("tab one's first request", Read()),
            last_request("tab one's second request", Read(), after="tab one's first request"),
            request("tab two's request", Read()),
        ),
        replicas=2,
        **MONOTONIC,
    ),
)

TASKS: Final = (
    Scenario(
        "a task after a write, a killed worker, the clock jumps",
        (
            last_request("the request", Write("order 1"), Publish("confirm")),
            script("confirm", Together(Receive(("confirm",)), Read()), Together(Write("invoice 1"), Read()), End()),
        ),
        jumps=(10.0, 20.0),
        kills=1,
    ),
    Scenario(
        "a task after a write, with log positions",
        (
            last_request("the request", Write("order 1"), Publish("confirm")),
            script("confirm", Receive(("confirm",)), Read(), Read(), Together(Write("invoice 1"), Read()), End()),
        ),
        jumps=(100.0,),
        **POSITIONS,
    ),
    Scenario(
        "a retry and a message that a thread puts back, the clock jumps",
        (
            last_request("the request", Write("order 1"), Publish("confirm")),
            task("confirm", Publish("retry", again="confirm")),
            script("the consumer", Requeue("retry", "later")),
            task("later", Read()),
        ),
        replicas=1,
        jumps=(10.0, 20.0),
    ),
    Scenario(
        "a task writes after its caller, the clock jumps",
        (
            last_request("the request", Write("order 1"), Publish("confirm")),
            task("confirm", Write("invoice 1"), Publish("mail")),
            task("mail", Read()),
        ),
        replicas=1,
        jumps=(10.0, 20.0),
    ),
    Scenario(
        "a task publishes after it has read a replica that has caught up",
        (
            last_request("the request", Write("order 1"), Publish("confirm")),
            task("confirm", Read(), Publish("mail")),
            task("mail", Read()),
        ),
        **POSITIONS,
    ),
    Scenario(
        "two writes, each with a task, with log positions",
        (
            last_request("the request", Write("order 1"), Publish("confirm"), Write("order 2"), Publish("mail")),
            task("confirm", Read()),
            task("mail", Read()),
        ),
        replicas=1,
        **POSITIONS,
    ),
    Scenario(
        "a task published inside a transaction, with log positions",
        (
            script(
                "the request", Together(Request(), Begin(), Write("order 1"), Publish("confirm")), Commit(), Respond()
            ),
            task("confirm", Read()),
        ),
        **POSITIONS,
    ),
    Scenario(
        "a transaction is rolled back, and nothing is handed on",
        (
            script("the request", Request(), Begin(), Write("order 1"), Rollback(), Publish("confirm"), Respond()),
            task("confirm", Read()),
        ),
        positions=True,
    ),
    Scenario(
        "a task that runs in its caller's process, with log positions",
        (
            last_request("the first request", Write("order 1"), Publish("confirm")),
            script(
                "confirm",
                Together(Receive(("confirm",)), StartEager(), Read()),
                Together(Write("invoice 1"), Read()),
                Together(EndEager(), Read(), Publish("mail"), End()),
            ),
            task("mail", Read()),
        ),
        **POSITIONS,
    ),
    Scenario(
        "a damaged header",
        (request("the request", Write("order 1"), Publish("confirm", damaged=True)), task("confirm", Read())),
        replicas=2,
    ),
)

FAN_IN: Final = (
    Scenario(
        "a chord, the clock jumps",
        (
            last_request("the request", Publish("a"), Publish("b")),
            member("a", Write("part a")),
            member("b", Write("part b")),
            task("body", Read()),
        ),
        replicas=1,
        jumps=(10.0, 20.0),
    ),
    Scenario(
        "a chord whose caller has written, with log positions",
        (
            last_request("the request", Write("order 1"), Publish("a"), Publish("b")),
            member("a", Write("part a")),
            member("b"),
            task("body", Read()),
        ),
        replicas=1,
        **POSITIONS,
    ),
    Scenario(
        "a batch of two messages, with log positions",
        (
            last_request("one request", Write("order 1"), Publish("one")),
            last_request("the other request", Write("order 2"), Publish("two")),
            script("the batch", Together(Receive(("one", "two")), Read()), End()),
        ),
        **POSITIONS,
    ),
)

RESULTS: Final = tuple(
    Scenario(
        f"a request takes the result of its task, {how}",
        (
            script(
                "the request",
                Together(Request(), Publish("charge")),
                Together(Take("charge"), Read()),
                Respond(),
                Arrive(),
            ),
            script("charge", Together(Receive(("charge",)), Write("payment 1"), End("charge"))),
            last_request("the next request", Read(), after="the request"),
        ),
        replicas=1,
        **rest,
    )
    for how, rest in {
        "the clock jumps": {"jumps": (10.0, 20.0, 30.0)},
        "with log positions": POSITIONS,
        "with monotonic reads": MONOTONIC,
    }.items()
)

LEAKS: Final = (
    Scenario(
        "an interrupted task, and another one in the same thread",
        (
            last_request("the first request", Write("order 1"), Publish("one")),
            last_request("the second request", Publish("two")),
            script("one", Together(Receive(("one",)), Read(), Write("invoice 1")), Interrupt()),
            script("two", Receive(("two",)), Read(), Publish("three"), End(), thread_of="one"),
            task("three", Read()),
        ),
        replicas=1,
    ),
    Scenario(
        "a thread that has run a task puts the message of another one back",
        (
            last_request("the first request", Write("order 1"), Publish("one")),
            last_request("the second request", Publish("two")),
            script("one", Together(Receive(("one",)), Write("invoice 1")), End()),
            script("the same thread", Requeue("two", "later"), thread_of="one"),
            task("later", Read()),
        ),
        replicas=1,
    ),
)

WITH_TWO_REPLICAS: Final = (*WEB, *TASKS, *FAN_IN, *RESULTS, *LEAKS, *EAGER, *FAILOVERS, *CRASHES, *TWO_SETS)

THREE_REPLICAS_TOO: Final = (
    "one tab reads, with monotonic reads",
    "a task publishes after it has read a replica that has caught up",
    "a chord whose caller has written, with log positions",
    "two tabs write one after the other, the clock jumps",
)


SMALL: Final = (
    *WITH_TWO_REPLICAS,
    *(with_three_replicas(each) for each in WITH_TWO_REPLICAS if each.name in THREE_REPLICAS_TOO),
)
