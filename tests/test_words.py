"""One word for one thing: retired words stand in no name, docstring, comment, message or docs page."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

RETIRED = {
    "unit of work": r"Scope|scopes?|(this|a|each|another|other|whole|child) contexts?(?! manager| variable)",
    "log position": r"Mark|marks?|Teller|tellers?|log line",
    "configuration": r"Topology|topolog(y|ies)",
    "caught up": r"PutBack|puts? back|putting back|has_to_wait",
    "hand on": r"to_hand_on|handover|let_go|uncarry",
    "wrap and unwrap": r"attend|ungather|gather(?!\()",
    "timeout": r"PATIENCE|patience|GLANCE|glance|FIRST_LOOK|SECOND_LOOK",
    "timed call": r"Attempt|attempts?",
    "activity": r"Trail|trail|stir|stirs",
    "problem": r"fault_of|fault_in|faults?",
    "vendor": r"teller_of|dialled",
    "resolve, absorb": r"settles?|settled|adopts?|adopted|adopting",
    "current_frame": r"synced_frame|forget_answers|enter_scope|enter_override",
    "task start and end": r"window\.|opens_window|windows?(?! \w*,? gevent)",
    "unreached": r"learn_line|LINE_SECONDS|all_beyond",
}
"""The word that is used instead, and the retired ones."""


def texts() -> list[Path]:
    packages = [importlib.import_module(name) for name in ("pindb", "pindb_celery", "pindb_dramatiq")]
    code = [path for package in packages for path in sorted(Path(str(package.__file__)).parent.rglob("*.py"))]
    return [*code, *sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]


@pytest.mark.parametrize("word", RETIRED)
def test_a_retired_word_is_used_nowhere(word: str) -> None:
    retired = re.compile(rf"\b({RETIRED[word]})\b")
    found = [
        f"{path.name}:{number}: {match[0]}"
        for path in texts()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (match := retired.search(line))
        and "Windows" not in line
        and "pytest.mark" not in line
        and "pytest.fixture" not in line
        and "asyncio.gather" not in line
        and "adopting-without-the-source" not in line  # a page's name
    ]
    assert found == [], f"write: {word}"
