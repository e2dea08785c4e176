"""The state machine: Hypothesis draws what happens next, and to whom. Each read is checked as in the model.

Hypothesis leaves some rules out of each history. Here most of what can happen needs something else that has happened
before, so most histories would be empty. So there is one rule, which draws from `EVENTS` by their weights. A history
draws itself which troubles it has.
"""

from __future__ import annotations

from itertools import chain
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.simulation.events import EVENTS, TROUBLES
from tests.simulation.site import KINDS, Site

NUMBERS: Final = st.integers(0, 5)


class Simulation(RuleBasedStateMachine):
    """A site, from its start on."""

    operations: ClassVar = 0
    """How many events have happened in this process."""

    site: Site

    @initialize(
        troubles=st.lists(st.sampled_from(TROUBLES), max_size=3),
        replicas=st.integers(1, 3),
        kind=st.sampled_from(KINDS),
        privileged=st.booleans(),
    )
    def start(self, troubles: list[str], **how: Any) -> None:
        self.troubles = troubles
        self.site = Site(**how)

    @rule(turn=st.integers(0, len(EVENTS) - 1), who=NUMBERS, which=NUMBERS)
    def something_happens(self, turn: int, who: int, which: int) -> None:
        """Have the event happen whose turn it is, or the next one that can."""
        for event in chain(EVENTS[turn:], EVENTS[:turn]):
            if (not event.trouble or event.trouble in self.troubles) and (found := event.find(self.site)):
                event.happen(self.site, found[who % len(found)], which)
                Simulation.operations += 1
                return

    def teardown(self) -> None:
        if hasattr(self, "site"):
            self.site.stack.close()
