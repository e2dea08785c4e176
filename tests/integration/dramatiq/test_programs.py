"""Random programs of messages: each actor has exactly the pins of what led to it, however it was led to.

A program is a tree: a step writes, perhaps fails once, then sends, delays, runs pipelines and groups of further steps.
What a step has to see is known when the program is made: what those before it write.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from dramatiq import group, pipeline

import pindb
from tests.unit.pindb_dramatiq.sites import Site

NAMES = ("default", "audit")
Step = dict[str, Any]


class Programs:
    """Makes programs; `steps` counts them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.steps = 0

    def step(self, seen: set[str], depth: int) -> Step:
        """Return a step that has to see what is in `seen`."""
        self.steps += 1
        writes = self.random.sample(NAMES, self.random.choice((0, 0, 1)))
        step: Step = {"id": self.steps, "seen": sorted(seen), "writes": writes, "fails": self.random.random() < 0.2}
        after = seen | set(writes)
        step["then"] = [self.sent(after, depth - 1) for _ in range(self.random.randint(0, 2))] if depth else []
        return step

    def sent(self, seen: set[str], depth: int) -> Any:
        kind = self.random.choice(("send", "delay", "pipeline", "group"))
        if kind in ("send", "delay"):
            return [kind, self.step(seen, depth)]
        if kind == "pipeline":
            return [kind, self.pipeline(seen, depth)]
        members = [self.pipeline(seen, depth) for _ in range(self.random.randint(1, 3))]
        wrote = {name for member in members for step in member for name in step["writes"]}
        return [kind, members, self.step(seen | wrote, depth)]

    def pipeline(self, seen: set[str], depth: int) -> list[Step]:
        steps: list[Step] = []
        for _ in range(self.random.randint(1, 3)):
            steps.append(self.step(seen, depth))
            seen = seen | set(steps[-1]["writes"])
        return steps


@pytest.fixture
def run(site: Site) -> Iterator[Any]:
    failed: set[int] = set()

    @site.actor(pipe_ignore=True)
    def run(step: Step) -> None:
        again = step["id"] in failed
        # What a failed attempt wrote is there the second time.
        seen = sorted({*step["seen"], *(step["writes"] if again else ())})
        if not again:
            for name in step["writes"]:
                site.reports.put((step["id"], seen, sorted(pindb.get_pinned())))
                pindb.pin(name)
            if not step["writes"]:
                site.reports.put((step["id"], seen, sorted(pindb.get_pinned())))
            if step["fails"]:
                failed.add(step["id"])
                raise ZeroDivisionError
        else:
            site.reports.put((step["id"], seen, sorted(pindb.get_pinned())))
        for sent in step["then"]:
            send(*sent)

    def send(kind: str, what: Any, callback: Any = None) -> None:
        if kind == "send":
            run.send(what)
        elif kind == "delay":
            run.send_with_options(args=(what,), delay=1)
        elif kind == "pipeline":
            piped(what).run()
        else:
            made = group([piped(member) for member in what], broker=site.broker)
            made.add_completion_callback(run.message(callback))
            made.run()

    def piped(steps: list[Step]) -> Any:
        return pipeline([run.message(step) for step in steps], broker=site.broker)

    with site.working(threads=4):
        yield run


@pytest.mark.parametrize("seed", range(30))
def test_each_step_has_the_pins_of_what_led_to_it_and_no_others(seed: int, site: Site, run: Any) -> None:
    programs = Programs(seed)
    run.send(programs.step(set(), depth=4))
    finished: set[int] = set()
    while len(finished) < programs.steps:
        number, seen, pinned = site.reports.get(timeout=20)
        assert pinned == seen, f"step {number}"
        finished.add(number)
    assert pindb.get_pinned() == set()
