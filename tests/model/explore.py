"""Explores a scenario: all its states, breadth first, until the first violation, whose path is a shortest one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any, NamedTuple

from tests.model import seam as seams
from tests.model.scenario import Scenario, Script
from tests.model.task_steps import Receive
from tests.model.world import START, Actor, Run, Violation, World, first_world


class Found(NamedTuple):
    """What an exploration has found."""

    states: int
    transitions: int
    seconds: float
    story: str
    """The shortest path to a violation; "" without one."""


def explore(scenario: Scenario, progress: Callable[[int, int], None] = lambda states, transitions: None) -> Found:
    """Visit every state of `scenario`. `progress` hears of the numbers now and then."""
    began = time.perf_counter()
    with seams.installed(scenario.replicas, scenario.settings, privileged=scenario.privileged):
        states, transitions, story = _explore(scenario, progress)
    return Found(states, transitions, time.perf_counter() - began, story)


def _explore(scenario: Scenario, progress: Callable[[int, int], None]) -> tuple[int, int, str]:
    explorer = Explorer(scenario)
    processes = 1 + max(each.process for each in scenario.scripts)
    first = first_world(scenario.replicas, len(scenario.scripts), processes, audit=scenario.audit)
    origin: dict[World, tuple[World, str] | None] = {first: None}
    queue, transitions = deque([first]), 0
    while queue:
        world = queue.popleft()
        try:
            for sentence, after in explorer.successors(world):
                transitions += 1
                if after not in origin:
                    origin[after] = (world, sentence)
                    queue.append(after)
        except Violation as violation:
            return len(origin), transitions, _story(origin, world, str(violation))
        if transitions % 1000 < 10:
            progress(len(origin), transitions)
    return len(origin), transitions, ""


def _story(origin: dict[World, tuple[World, str] | None], world: World, last: str) -> str:
    sentences = [last]
    while (step := origin[world]) is not None:
        world, sentence = step
        sentences.append(sentence)
    return "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(reversed(sentences), 1))


@dataclass
class Explorer:
    """Takes all steps that are possible in a world."""

    scenario: Scenario
    numbers: dict[str, int] = field(init=False)
    orders: list[tuple[int, ...]] = field(init=False)

    def __post_init__(self) -> None:
        self.numbers = {each.name: number for number, each in enumerate(self.scenario.scripts)}
        self.orders = list(permutations(range(self.scenario.replicas)))

    def successors(self, world: World) -> Iterator[tuple[str, World]]:
        """Produce what may happen next: a sentence, and the world after it. Raises `Violation` with a sentence."""
        for number, each in enumerate(self.scenario.scripts):
            actor = world.actors[number]
            if not actor.done and self._may_go_on(world, each, actor):
                yield from self._steps(world, number, each)
            if isinstance(each.steps[0], Receive) and actor.next_step and not actor.done:
                yield from self._kills(world, number, each)
        if not all(actor.done for actor in world.actors):
            yield from self._events(world)

    def _may_go_on(self, world: World, each: Script, actor: Actor) -> bool:
        if actor.next_step == 0 and each.predecessor and not world.actors[self.numbers[each.predecessor]].done:
            return False
        return each.steps[actor.next_step].ready(world)

    def _steps(self, world: World, number: int, each: Script) -> Iterator[tuple[str, World]]:
        actor = world.actors[number]
        step = each.steps[actor.next_step]
        if actor.next_step == 0 and each.thread_of:
            actor = actor._replace(frames=world.actors[self.numbers[each.thread_of]].frames)
        begun = world._replace(actors=_with(world.actors, number, actor._replace(next_step=actor.next_step + 1)))
        for order in self.orders:
            with Run(begun, number, each.process, order, monotonic=self.scenario.monotonic) as run:
                try:
                    sentence = step.take(run)
                except Violation as violation:
                    raise Violation(f"{_named(each)} {violation}.") from None
                if run.actor.next_step == len(each.steps):
                    run.change(done=True)
                yield f"{_named(each)} {sentence}.", run.after()
            if not run.asked_for_order:
                break

    def _kills(self, world: World, number: int, each: Script) -> Iterator[tuple[str, World]]:
        if world.kills < self.scenario.kills:
            actors = _with(world.actors, number, Actor())
            sentence = f"The worker of {each.name!r} is killed, so the message is delivered again."
            yield sentence, world._replace(actors=actors, kills=world.kills + 1)

    def _events(self, world: World) -> Iterator[tuple[str, World]]:
        servers, scenario = world.servers, self.scenario
        if world.audit.all and (after := world.audit.replay(1)) is not None:
            yield "Replica audit-1 replays a step of the log.", world._replace(audit=after)
        for number in servers.replica_numbers():
            if (after := servers.replay(number)) is not None:
                yield (
                    f"Replica default-{number} {_replayed(after.all[number], servers.all[number])}.",
                    world._replace(servers=after),
                )
            if world.crashes < scenario.crashes and (after := servers.crash(number)) is not None:
                sentence = f"Replica default-{number} is killed and comes back older than it was."
                yield sentence, world._replace(servers=after, crashes=world.crashes + 1)
            if world.failovers < scenario.failovers and (after := servers.fail_over(number)) is not None:
                sentence = f"The master dies, and replica default-{number} is promoted."
                yield sentence, world._replace(servers=after, failovers=world.failovers + 1)
            if not scenario.privileged and (after := servers.write_control_file(number)) is not None:
                sentence = f"Replica default-{number} writes its control file."
                yield sentence, world._replace(servers=after)
        if world.jumps < len(scenario.jumps):
            now = START + scenario.jumps[world.jumps]
            after = servers.within_lag(now) if scenario.bounded_lag else servers
            audit = world.audit.within_lag(now) if scenario.bounded_lag and world.audit.all else world.audit
            yield (
                f"The clock jumps to {now - START:g} s.",
                world._replace(now=now, jumps=world.jumps + 1, servers=after, audit=audit),
            )


def _with(actors: tuple[Actor, ...], number: int, actor: Actor) -> tuple[Actor, ...]:
    return (*actors[:number], actor, *actors[number + 1 :])


def _named(each: Script) -> str:
    return each.name[0].upper() + each.name[1:]


def _replayed(after: Any, before: Any) -> str:
    if after.starts > before.starts:
        return "is rebuilt from the new master"
    return "follows the new master" if after.timeline > before.timeline else "replays a step of the log"
