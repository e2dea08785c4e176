"""`Finding`: one line of the doctor's, with its verdict and what to type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, TypeAlias


class Verdict(Enum):
    """What a finding means for the site."""

    OK = "ok"
    UNWISE = "unwise"
    """It costs something, or it can go wrong later."""
    WRONG = "wrong"
    """A read may miss what was written, or something fails."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, what to type, and the id if a system check has found it."""

    verdict: Verdict
    text: str
    remedy: str = ""
    id: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as JSON wants it."""
        return {**asdict(self), "verdict": self.verdict.value}

    def __str__(self) -> str:
        return " ".join(filter(None, (f"({self.id})" if self.id else "", self.text, self.remedy)))


Findings: TypeAlias = Iterator[Finding]
"""What a section produces."""


def ok(text: str) -> Finding:
    """Return a finding that nothing is to be done about."""
    return Finding(Verdict.OK, text)


def unwise(text: str, remedy: str) -> Finding:
    """Return a finding that costs something, or can go wrong later."""
    return Finding(Verdict.UNWISE, text, remedy)


def wrong(text: str, remedy: str) -> Finding:
    """Return a finding after which a read may miss what was written, or something fails."""
    return Finding(Verdict.WRONG, text, remedy)
