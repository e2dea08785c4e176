"""Larger worlds, for `make model`: the small ones with three replicas, and longer stories."""

from __future__ import annotations

from typing import Final

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
from tests.model.steps import Begin, Commit, Elsewhere, Read, Together, Write
from tests.model.task_steps import End, Publish, Receive, Take
from tests.model.web_steps import Arrive, Request, Respond
from tests.model.worlds import THREE_REPLICAS_TOO, WITH_TWO_REPLICAS

WITH_THREE_REPLICAS: Final = tuple(
    with_three_replicas(each)
    for each in WITH_TWO_REPLICAS
    if each.name not in THREE_REPLICAS_TOO and each.crashes + each.failovers < 2  # more are too many states
)

LONGER: Final = (
    Scenario(
        "two tabs with two requests each, the clock jumps",
        (
            request("tab one's first request", Write("order 1")),
            request("tab one's second request", Read(), Write("order 3"), after="tab one's first request"),
            last_request("tab one's third request", Read(), after="tab one's second request"),
            request("tab two's first request", Write("order 2")),
            last_request("tab two's second request", Read(), after="tab two's first request"),
        ),
        replicas=1,
        jumps=(10.0, 20.0, 30.0),
    ),
    Scenario(
        "two tabs with two requests each, with log positions",
        (
            request("tab one's first request", Write("order 1")),
            request("tab one's second request", Read(), after="tab one's first request"),
            last_request("tab one's third request", Read(), after="tab one's second request"),
            request("tab two's first request", Write("order 2")),
            last_request("tab two's second request", Read(), after="tab two's first request"),
        ),
        **POSITIONS,
    ),
    Scenario(
        "three tabs that overlap, with log positions",
        (
            request("tab one's first request", Write("order 1")),
            last_request("tab one's second request", Read(), after="tab one's first request"),
            request("tab two's request", Write("order 2")),
            request("tab three's request", Write("order 3")),
        ),
        replicas=1,
        **POSITIONS,
    ),
    Scenario(
        "two tabs read while others write, with monotonic reads",
        (
            script("the import", Elsewhere("article 1")),
            script("the other import", Elsewhere("article 2")),
            request("tab one's first request", Read()),
            last_request("tab one's second request", Read(), after="tab one's first request"),
            request("tab two's first request", Read()),
            last_request("tab two's second request", Read(), after="tab two's first request"),
        ),
        **MONOTONIC,
    ),
    Scenario(
        "a reader publishes a task, a failover, with monotonic reads",
        (
            script("the import", Elsewhere("article 1")),
            script("the other import", Elsewhere("article 2")),
            last_request("the request", Read(), Publish("digest")),
            task("digest", Read()),
        ),
        failovers=1,
        **MONOTONIC,
    ),
    Scenario(
        "a reader's replica crashes, with monotonic reads",
        (
            script("the import", Elsewhere("article 1")),
            script("the other import", Elsewhere("article 2")),
            script("the request", Together(Request(), Read()), Read(), Together(Publish("digest"), Respond())),
            task("digest", Read()),
        ),
        crashes=1,
        **MONOTONIC,
    ),
    *(
        Scenario(
            f"two failovers, {how}",
            (
                script("the import", Elsewhere("article 1")),
                last_request("the request", Write("order 1"), Publish("confirm")),
                task("confirm", Read()),
            ),
            replicas=3,
            failovers=2,
            privileged=privileged,
            **POSITIONS,
        )
        for how, privileged in {"asked by a privileged role": True, "asked by a role without privileges": False}.items()
    ),
    *(
        Scenario(
            f"two failovers and a rest of an hour, {how}",
            (
                script("the import", Elsewhere("article 1")),
                last_request("the request", Write("order 1"), Publish("confirm")),
                task("confirm", Read()),
            ),
            failovers=2,
            privileged=privileged,
            jumps=(3600.0,),
            **POSITIONS,
        )
        for how, privileged in {"asked by a privileged role": True, "asked by a role without privileges": False}.items()
    ),
    Scenario(
        "a failover and a crash, in two processes",
        (
            script("the import", Elsewhere("article 1")),
            last_request("the request", Write("order 1"), Publish("confirm"), Publish("mail")),
            task("confirm", Read(), process=1),
            task("mail", Read(), process=1),
        ),
        failovers=1,
        crashes=1,
        **POSITIONS,
    ),
    Scenario(
        "a pin is handed on three times, a replica crashes",
        (
            last_request("the request", Write("order 1"), Publish("one")),
            task("one", Read(), Publish("two")),
            task("two", Read(), Publish("three")),
            task("three", Read()),
        ),
        crashes=1,
        jumps=(5.0, 100.0),
        **POSITIONS,
    ),
    Scenario(
        "a chord, a failover",
        (
            last_request("the request", Publish("a"), Publish("b")),
            member("a", Write("part a")),
            member("b", Write("part b")),
            task("body", Read()),
        ),
        failovers=1,
        **POSITIONS,
    ),
    Scenario(
        "a result is taken, and its taker publishes, the clock jumps",
        (
            script(
                "the request",
                Together(Request(), Publish("charge")),
                Take("charge"),
                Read(),
                Publish("mail"),
                Respond(),
                Arrive(),
            ),
            script("charge", Receive(("charge",)), Write("payment 1"), End("charge")),
            task("mail", Read()),
            last_request("the next request", Read(), after="the request"),
        ),
        jumps=(10.0, 20.0, 30.0),
    ),
    Scenario(
        "a result is taken, and its taker publishes, with log positions",
        (
            script(
                "the request",
                Together(Request(), Read(), Publish("charge")),
                Together(Take("charge"), Read()),
                Together(Publish("mail"), Respond()),
                Arrive(),
            ),
            script("charge", Receive(("charge",)), Write("payment 1"), End("charge")),
            task("mail", Read()),
            last_request("the next request", Read(), after="the request"),
        ),
        **MONOTONIC,
    ),
    Scenario(
        "a task reads and writes in a transaction",
        (
            last_request("the request", Write("order 1"), Publish("confirm")),
            script(
                "confirm",
                Receive(("confirm",)),
                Read(),
                Begin(),
                Read(),
                Write("invoice 1"),
                Publish("mail"),
                Commit(),
                Read(),
                End(),
            ),
            task("mail", Read()),
        ),
        replicas=1,
        kills=1,
        **POSITIONS,
    ),
    Scenario(
        "a pin is handed on twice, a failover and a crash, asked by a role without privileges",
        (
            script("the import", Elsewhere("article 1")),
            last_request("the request", Write("order 1"), Publish("one")),
            task("one", Read(), Publish("two")),
            task("two", Read()),
        ),
        failovers=1,
        crashes=1,
        privileged=False,
        **POSITIONS,
    ),
    Scenario(
        "a browser's requests around a failover",
        (
            script("the import", Elsewhere("article 1")),
            request("the first request", Write("order 1")),
            request("the second request", Read(), after="the first request"),
            last_request("the third request", Read(), after="the second request"),
        ),
        failovers=1,
        privileged=False,
        **POSITIONS,
    ),
    Scenario(
        "a browser reads while a replica crashes, with monotonic reads",
        (
            script("the import", Elsewhere("article 1")),
            script("the other import", Elsewhere("article 2")),
            request("the first request", Read()),
            request("the second request", Read(), after="the first request"),
            last_request("the third request", Read(), after="the second request"),
        ),
        crashes=1,
        **MONOTONIC,
    ),
    Scenario(
        "two tabs read and write, with monotonic reads",
        (
            request("tab one's first request", Write("order 1")),
            last_request("tab one's second request", Read(), after="tab one's first request"),
            request("tab two's first request", Read()),
            request("tab two's second request", Read(), after="tab two's first request"),
            request("tab three's request", Write("order 2")),
        ),
        replicas=1,
        **MONOTONIC,
    ),
    Scenario(
        "what a task has read goes back with its result, with monotonic reads",
        (
            script("the import", Elsewhere("article 1")),
            last_request("the request", Read(), Publish("report")),
            script("report", Together(Receive(("report",)), Read(), End("report"))),
            script(
                "the taker",
                Together(Request(), Read()),
                Together(Take("report"), Read()),
                Together(Publish("mail"), Respond()),
            ),
            task("mail", Read()),
        ),
        **MONOTONIC,
    ),
    Scenario(
        "the members of a chord read, with monotonic reads",
        (
            script("the import", Elsewhere("article 1")),
            last_request("the request", Publish("a"), Publish("b")),
            member("a", Read()),
            member("b", Read()),
            task("body", Read()),
        ),
        **MONOTONIC,
    ),
)

LARGE: Final = (*WITH_THREE_REPLICAS, *LONGER)
