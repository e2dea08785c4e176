"""`Queue`: messages that wait, are delivered again or put back, chords, and stored results."""

from __future__ import annotations

from tests.model.task_steps import End, EndMember, Interrupt, Publish, Receive, Requeue, Take
from tests.model.world import Actor
from tests.simulation.site import Site, Thread

RESULTS = 4
"""How many results are kept."""


class Queue:
    """The messages and results are in the site's world, with what their readers have to see."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.taken: set[str] = set()
        """The messages of the tasks that run."""
        self.chords: dict[str, tuple[tuple[str, ...], str]] = {}
        """By header task: the header tasks, and the body."""
        self.results: list[str] = []

    def waiting(self) -> list[str]:
        return [name for name, *_ in self.site.world.messages if name not in self.taken]

    def consumers(self) -> list[Thread]:
        """Return the threads that may put a message back: they run nothing, and have nothing left open."""
        return [thread for thread in self.site.threads if not thread.name and thread.frame is None]

    def publish(self, thread: Thread, again: str = "", name: str = "", *, damaged: bool = False) -> None:
        self.site.take(thread, Publish(name or self.site.new_name("task"), again, damaged))
        thread.published_inside |= thread.is_atomic

    def start_chord(self, thread: Thread) -> None:
        members = (self.site.new_name("header task"), self.site.new_name("header task"))
        chord = members, self.site.new_name("body")
        for member in members:
            self.chords[member] = chord
            self.publish(thread, name=member)

    def start(self, thread: Thread, number: int, count: int) -> None:
        """Have a thread receive a message, or those of a batch. A header task of a chord comes alone."""
        waiting = self.waiting()
        first = waiting[number % len(waiting)]
        alone = [name for name in waiting if name != first and name not in self.chords]
        messages = (first, *(alone[: count - 1] if first not in self.chords else ()))
        self.taken.update(messages)
        self.site.begin(thread, " and ".join(messages).capitalize(), Receive(messages), messages=messages)

    def end(self, thread: Thread) -> None:
        task = thread.messages[0]
        if task in self.chords:
            members, body = self.chords[task]
            self.site.take(thread, EndMember(task, members, body))
            if all(self.site.world.result(member) is not None for member in members):
                for member in members:
                    del self.chords[member]
                self._forget_results(members)
        else:
            self.site.take(thread, End(task))
            self.results.append(task)
            self._forget_results(self.results[:-RESULTS])
        self._acknowledge(thread)

    def interrupt(self, thread: Thread) -> None:
        """Have the task's thread go on with the next one, and nobody close its unit of work."""
        self.site.take(thread, Interrupt())
        self.deliver_again(list(thread.messages))
        self.site.end(thread)

    def _acknowledge(self, thread: Thread) -> None:
        done = thread.messages
        self.taken.difference_update(done)
        world = self.site.world
        self.site.world = world._replace(messages=tuple(each for each in world.messages if each[0] not in done))
        self.site.end(thread)

    def deliver_again(self, messages: list[str]) -> None:
        self.taken.difference_update(messages)

    def put_back(self, thread: Thread, number: int) -> None:
        waiting = [name for name in self.waiting() if name not in self.chords]
        if waiting:
            name = waiting[number % len(waiting)]
            self.site.set_actor(thread, Actor())
            self.site.take(thread, Requeue(name, self.site.new_name("task")), name="A consumer")

    def take_result(self, thread: Thread, task: str) -> None:
        self.site.take(thread, Take(task))

    def _forget_results(self, names: list[str] | tuple[str, ...]) -> None:
        world, gone = self.site.world, set(names)
        self.site.world = world._replace(results=tuple(each for each in world.results if each[0] not in gone))
        self.results = [name for name in self.results if name not in gone]
