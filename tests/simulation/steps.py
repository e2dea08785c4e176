"""Steps that the model does not have: tokens, and what happens to a thread's connections."""

from __future__ import annotations

from dataclasses import dataclass, field

import pindb
from tests.model.steps import Step, handed_on
from tests.model.world import Known, Run


@dataclass
class Token:
    """A token on its way, and what its reader has to see."""

    name: str
    text: str = ""
    known: Known = field(default_factory=Known)


@dataclass
class MakeToken(Step):
    token: Token

    def take(self, run: Run) -> str:
        self.token.text, self.token.known = pindb.token(), handed_on(run)
        return f"makes {self.token.name}"


@dataclass
class Observe(Step):
    token: Token

    def take(self, run: Run) -> str:
        pindb.observe(self.token.text)
        run.receive(self.token.known)
        return f"observes {self.token.name}"
