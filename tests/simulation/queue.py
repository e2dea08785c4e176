"""The queue: messages that wait, are delivered again or put back, chords, and stored results.

The messages and results are in the site's world, with what their readers have to see.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tests.model.task_steps import End, EndMember, Interrupt, Publish, Receive, Requeue, Take
from tests.model.world import Actor
from tests.simulation.site import Site, Thread

RESULTS: Final = 4
"""How many results are kept."""


def waiting(site: Site, *, chords: bool = True) -> list[str]:
    """Return the messages that wait for a worker. `chords`: those of header tasks too."""
    names = [name for name, *_ in site.world.messages if name not in site.delivered]
    return names if chords else [name for name in names if name not in site.chords]


def consumers(site: Site) -> list[Thread]:
    """Return the threads that may put a message back: they run nothing, and have nothing left open."""
    return [thread for thread in site.threads if not thread.name and thread.frame is None]


def publish(site: Site, thread: Thread, again: str = "", name: str = "", *, damaged: bool = False) -> None:
    site.take(thread, Publish(name or site.new_name("task"), again, damaged))
    thread.published_inside |= thread.is_atomic


def start_chord(site: Site, thread: Thread) -> None:
    members = (site.new_name("header task"), site.new_name("header task"))
    chord = members, site.new_name("body")
    for member in members:
        site.chords[member] = chord
        publish(site, thread, name=member)


def start(site: Site, thread: Thread, message: str, *, batch: bool) -> None:
    """Have a thread receive a message; with `batch`, another one too. A header task of a chord comes alone."""
    others = [name for name in waiting(site, chords=False) if name != message] if message not in site.chords else []
    messages = (message, *others[: int(batch)])
    site.delivered.update(messages)
    site.begin(thread, " and ".join(messages).capitalize(), Receive(messages), messages=messages)


def end(site: Site, thread: Thread) -> None:
    """Have a task end: its result is stored, its message acknowledged."""
    done = thread.messages
    task = done[0]
    if task in site.chords:
        members, body = site.chords[task]
        site.take(thread, EndMember(task, members, body))
        if all(site.world.result(member) is not None for member in members):
            for member in members:
                del site.chords[member]
            _forget_results(site, members)
    else:
        site.take(thread, End(task))
        site.results.append(task)
        _forget_results(site, site.results[:-RESULTS])
    site.delivered.difference_update(done)
    site.world = site.world._replace(messages=tuple(each for each in site.world.messages if each[0] not in done))
    site.end(thread)


def interrupt(site: Site, thread: Thread) -> None:
    """Have the task's thread go on with the next one, and nobody close its unit of work."""
    site.take(thread, Interrupt())
    deliver_again(site, thread.messages)
    site.end(thread)


def deliver_again(site: Site, messages: Iterable[str]) -> None:
    site.delivered.difference_update(messages)


def put_back(site: Site, thread: Thread, message: str) -> None:
    site.set_actor(thread, Actor())
    site.take(thread, Requeue(message, site.new_name("task")), name="A consumer")


def take_result(site: Site, thread: Thread, task: str) -> None:
    site.take(thread, Take(task))


def _forget_results(site: Site, names: Iterable[str]) -> None:
    gone = set(names)
    site.world = site.world._replace(results=tuple(each for each in site.world.results if each[0] not in gone))
    site.results = [name for name in site.results if name not in gone]
