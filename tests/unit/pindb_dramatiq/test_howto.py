"""What docs/dramatiq.md says can be typed: its code runs, the names in it exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from dramatiq.results import Results
from dramatiq.results.backends import StubBackend

import pindb_dramatiq
from pindb_dramatiq import PinDbMiddleware

HOWTO = (Path(__file__).parents[3] / "docs" / "dramatiq.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", HOWTO, re.MULTILINE | re.DOTALL)


def test_its_names_exist() -> None:
    names = set(re.findall(r"pindb_dramatiq\.(\w+)", HOWTO)) - {"W001", "W002"}
    assert names == {"PinDbMiddleware", "install", "uninstall"}
    assert names <= set(pindb_dramatiq.__all__)
    assert PinDbMiddleware().actor_options == {"pindb_pinned", "pindb_unpinned"}


def test_its_installation_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dramatiq.broker, "global_broker", None)
    names: dict[str, Any] = {"RedisBroker": lambda url: StubBroker(), "Results": Results, "dramatiq": dramatiq}
    exec(BLOCKS[0].replace("backend=...", "backend=StubBackend()"), names | {"StubBackend": StubBackend})
    assert isinstance(dramatiq.get_broker().middleware[0], PinDbMiddleware)


def test_its_actors_can_be_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    [block] = [block for block in BLOCKS if "@dramatiq.actor" in block]
    broker = StubBroker()
    pindb_dramatiq.install(broker)
    monkeypatch.setattr(dramatiq.broker, "global_broker", broker)
    exec(block, {"dramatiq": dramatiq})
    assert broker.actors.keys() == {"charge", "statistics"}
