from __future__ import annotations

import pytest

from pindb.once import Once
from pindb.propagation import carriers


@pytest.fixture(autouse=True)
def _forget_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriers, "warned", Once())
