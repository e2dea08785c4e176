"""The rules: Hypothesis draws which one is next, and for whom. Each read is checked as in the model.

What a rule is given are numbers. It counts through those who can take the step, so that a number always means somebody,
and a smaller one somebody earlier: that shrinks well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.model.servers import Servers
from tests.model.steps import Begin, Commit, Read, Rollback, Write
from tests.model.task_steps import EndEager, StartEager
from tests.model.web_steps import Request, Respond
from tests.simulation.queue import Queue
from tests.simulation.site import BROWSERS, PROCESSES, Flight, Process, Site, Thread
from tests.simulation.steps import MakeToken, Observe, Token

NUMBERS = st.integers(0, 5)
JUMPS = st.sampled_from([1.0, 0.4, 4.0, 9.5, 10.5, 14.9, 15.0, 30.0, 100.0])
SWITCH = st.sampled_from(["on", None, "50%", "off", "shadow"])

T = TypeVar("T")


def some(numbered: list[T], number: int) -> T:
    return numbered[number % len(numbered)]


def if_any(find: Callable[[Any], object]) -> Any:
    """Have a rule apply only if `find` finds something."""
    return precondition(lambda machine: bool(find(machine)))


class Simulation(RuleBasedStateMachine):
    """A site, from its start on."""

    operations: ClassVar = 0
    """How many rules were applied in this process."""

    site: Site

    @initialize(
        replicas=st.integers(1, 3),
        positions=st.booleans(),
        monotonic=st.booleans(),
        bounded_lag=st.booleans(),
        privileged=st.booleans(),
    )
    def start(self, **how: Any) -> None:
        self.site = Site(**how)
        self.queue = Queue(self.site)
        self.tokens: list[Token] = []

    def teardown(self) -> None:
        if hasattr(self, "site"):
            Simulation.operations += len(self.site.story)
            self.site.close()

    # Who can take a step.

    def busy(self) -> list[Thread]:
        return self.site.busy()

    def atomic(self) -> list[Thread]:
        return [thread for thread in self.busy() if thread.is_atomic]

    def outside(self) -> list[Thread]:
        """Return the threads with no transaction and no task inside a task."""
        return [thread for thread in self.busy() if not thread.is_atomic and not thread.eager]

    def publishers(self) -> list[Thread]:
        """Return those that may hand on. A pin of an open transaction is a timed one, which needs a bounded lag."""
        return [thread for thread in self.busy() if self.site.bounded_lag or not thread.is_atomic]

    def requests(self) -> list[Thread]:
        return [thread for thread in self.outside() if not thread.is_worker]

    def tasks(self) -> list[Thread]:
        return [thread for thread in self.outside() if thread.is_worker]

    def idle_web(self) -> list[Thread]:
        return self.site.idle(workers=False) if len(self.site.flights) < 4 else []

    def idle_workers(self) -> list[Thread]:
        return self.site.idle(workers=True) if self.queue.waiting() else []

    # What requests and tasks do.

    @if_any(idle_web)
    @rule(browser=st.integers(0, BROWSERS - 1), thread=NUMBERS, draw=st.sampled_from([0.0, 0.75]))
    def request_comes_in(self, browser: int, thread: int, draw: float) -> None:
        self.site.draw(draw)
        name = self.site.new_name(f"Browser {browser + 1}'s request")
        self.site.begin(some(self.idle_web(), thread), name, Request(), browser=browser)

    @if_any(requests)
    @rule(thread=NUMBERS)
    def request_is_answered(self, thread: int) -> None:
        answered = some(self.requests(), thread)
        run = self.site.take(answered, Respond())
        self.site.flights.append(Flight(answered.name, self.site.browsers[answered.browser], run.actor))
        self.site.end(answered)

    @if_any(lambda self: self.site.flights)
    @rule(flight=NUMBERS)
    def answer_arrives(self, flight: int) -> None:
        self.site.arrive(some(self.site.flights, flight))

    @if_any(busy)
    @rule(thread=NUMBERS, order=NUMBERS)
    def reads(self, thread: int, order: int) -> None:
        self.site.take(some(self.busy(), thread), Read(), order)

    @if_any(busy)
    @rule(thread=NUMBERS)
    def writes(self, thread: int) -> None:
        self.site.take(some(self.busy(), thread), Write(self.site.new_name("order")))

    @if_any(outside)
    @rule(thread=NUMBERS)
    def begins(self, thread: int) -> None:
        self.site.take(some(self.outside(), thread), Begin())

    @if_any(atomic)
    @rule(thread=NUMBERS, commits=st.booleans())
    def transaction_ends(self, thread: int, commits: bool) -> None:
        ending = some(self.atomic(), thread)
        ending.published_inside = False
        self.site.take(ending, Commit() if commits else Rollback())

    @if_any(lambda self: [thread for thread in self.busy() if not thread.eager])
    @rule(thread=NUMBERS)
    def runs_a_task_right_here(self, thread: int) -> None:
        caller = some([each for each in self.busy() if not each.eager], thread)
        self.site.take(caller, StartEager())
        caller.eager += 1

    @if_any(lambda self: [thread for thread in self.busy() if thread.eager])
    @rule(thread=NUMBERS)
    def the_task_right_here_ends(self, thread: int) -> None:
        caller = some([each for each in self.busy() if each.eager], thread)
        self.site.take(caller, EndEager())
        caller.eager -= 1

    # Messages, results and tokens.

    @if_any(publishers)
    @rule(thread=NUMBERS)
    def publishes(self, thread: int) -> None:
        self.queue.publish(some(self.publishers(), thread))

    @if_any(lambda self: self.site.bounded_lag and self.busy())
    @rule(thread=NUMBERS)
    def publishes_what_is_damaged(self, thread: int) -> None:
        self.queue.publish(some(self.busy(), thread), damaged=True)

    @if_any(lambda self: [thread for thread in self.publishers() if thread.messages])
    @rule(thread=NUMBERS)
    def retries(self, thread: int) -> None:
        retried = some([each for each in self.publishers() if each.messages], thread)
        self.queue.publish(retried, again=retried.messages[0])

    @if_any(publishers)
    @rule(thread=NUMBERS)
    def starts_a_chord(self, thread: int) -> None:
        self.queue.start_chord(some(self.publishers(), thread))

    @if_any(idle_workers)
    @rule(thread=NUMBERS, message=NUMBERS, more=st.integers(0, 2), draw=st.sampled_from([0.0, 0.75]))
    def task_starts(self, thread: int, message: int, more: int, draw: float) -> None:
        self.site.draw(draw)
        self.queue.start(some(self.idle_workers(), thread), message, more if more == 2 else 1)

    @if_any(tasks)
    @rule(thread=NUMBERS)
    def task_ends(self, thread: int) -> None:
        self.queue.end(some(self.tasks(), thread))

    @if_any(tasks)
    @rule(thread=NUMBERS)
    def task_is_interrupted(self, thread: int) -> None:
        self.queue.interrupt(some(self.tasks(), thread))

    @if_any(lambda self: self.queue.waiting() and self.queue.consumers())
    @rule(thread=NUMBERS, message=NUMBERS)
    def message_is_put_back(self, thread: int, message: int) -> None:
        self.queue.put_back(some(self.queue.consumers(), thread), message)

    @if_any(lambda self: self.queue.results and self.busy())
    @rule(thread=NUMBERS, result=NUMBERS)
    def takes_a_result(self, thread: int, result: int) -> None:
        self.queue.take_result(some(self.busy(), thread), some(self.queue.results, result))

    @if_any(publishers)
    @rule(thread=NUMBERS)
    def makes_a_token(self, thread: int) -> None:
        maker, token = some(self.publishers(), thread), Token(self.site.new_name("token"))
        self.site.take(maker, MakeToken(token))
        maker.published_inside |= maker.is_atomic
        self.tokens = [*self.tokens[-3:], token]

    @if_any(lambda self: self.tokens and self.busy())
    @rule(thread=NUMBERS, token=NUMBERS)
    def observes_a_token(self, thread: int, token: int) -> None:
        self.site.take(some(self.busy(), thread), Observe(some(self.tokens, token)))

    # What happens around them.

    @rule()
    def another_program_writes(self) -> None:
        what = self.site.new_name("article")
        self.site.servers_are(self.site.world.servers.commit((what,), self.site.world.now), f"The import writes {what}")

    @rule(number=NUMBERS, steps=st.integers(1, 4))
    def replica_replays(self, number: int, steps: int) -> None:
        for _ in range(steps):
            self.happens(number, Servers.replay, "replays a step of the log")

    @rule(number=NUMBERS)
    def replica_crashes(self, number: int) -> None:
        self.happens(number, Servers.crash, "is killed and comes back older than it was")

    @rule(number=NUMBERS)
    def replica_writes_its_control_file(self, number: int) -> None:
        self.happens(number, Servers.write_control_file, "writes its control file")

    @if_any(lambda self: not self.atomic())
    @rule(number=NUMBERS)
    def master_dies(self, number: int) -> None:
        self.happens(number, Servers.fail_over, "is promoted, for the master has died")

    def happens(self, number: int, what: Callable[[Servers, int], Servers | None], sentence: str) -> None:
        servers = self.site.world.servers
        replica = some(list(servers.replica_numbers()) or [0], number)
        if replica and (after := what(servers, replica)) is not None:
            self.site.servers_are(after, f"Replica default-{replica} {sentence}")

    @if_any(lambda self: not any(thread.published_inside for thread in self.site.threads))
    @rule(seconds=JUMPS)
    def clock_jumps(self, seconds: float) -> None:
        self.site.jump(seconds)

    @rule(process=st.integers(0, PROCESSES - 1))
    def process_is_killed(self, process: int) -> None:
        self.queue.deliver_again(self.site.kill(self.process(process)))
        self.site.tell(f"Process {process + 1} is killed, and its messages are delivered again.")

    @rule(process=st.integers(0, PROCESSES - 1), answer=SWITCH)
    def switch_is_turned(self, process: int, answer: str | None) -> None:
        self.site.roll_out(self.process(process), answer)
        self.site.tell(f"Process {process + 1} hears from the switch: {answer}.")

    @rule(thread=NUMBERS)
    def connections_are_closed(self, thread: int) -> None:
        self.site.close_connections(some(self.site.threads, thread))

    def process(self, number: int) -> Process:
        return self.site.processes[number]
