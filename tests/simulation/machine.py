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

from tests.simulation.audit_events import AUDIT_EVENTS
from tests.simulation.events import EVENTS, TROUBLES, Event
from tests.simulation.kinds import KINDS
from tests.simulation.site import Site

NUMBERS: Final = st.integers(0, 5)


class Simulation(RuleBasedStateMachine):
    """A site, from its start on."""

    operations: ClassVar = 0
    """How many events have happened in this process."""

    audit: ClassVar = False
    """Whether the site has a second DB set, "audit"."""

    site: Site

    @initialize(
        troubles=st.lists(st.sampled_from(TROUBLES), max_size=3),
        replicas=st.integers(1, 3),
        kind=st.sampled_from(KINDS),
        privileged=st.booleans(),
    )
    def start(self, troubles: list[str], **how: Any) -> None:
        self.troubles = troubles
        self.site = Site(audit=self.audit, **how)

    @rule(turn=st.integers(0, len(EVENTS) - 1), who=NUMBERS, which=NUMBERS)
    def something_happens(self, turn: int, who: int, which: int) -> None:
        """Have the event happen whose turn it is, or the next one that can."""
        for event in chain(EVENTS[turn:], EVENTS[:turn]):
            if (not event.trouble or event.trouble in self.troubles) and (found := event.find(self.site)):
                self._happen(event, found[who % len(found)], which)
                return

    def _happen(self, event: Event, who: Any, which: int) -> None:
        event.happen(self.site, who, which)
        Simulation.operations += 1

    def teardown(self) -> None:
        if hasattr(self, "site"):
            self.site.stack.close()


class WithAudit(Simulation):
    """A site with two DB sets: what happens in the second one is a rule of its own, so that the others keep theirs."""

    audit: ClassVar = True

    @rule(event=st.sampled_from(AUDIT_EVENTS), who=NUMBERS, which=NUMBERS)
    def something_happens_in_the_audit(self, event: Event, who: int, which: int) -> None:
        if found := event.find(self.site):
            self._happen(event, found[who % len(found)], which)
