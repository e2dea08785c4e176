"""What the tasks of every queue here do: the steps of the conformance kit, and two that ask a database."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pindb.testing import queues
from tests.shop import observe
from tests.shop.models import Customer


def perform(steps: Any, send: Callable[[Any], object]) -> None:
    """Do `steps`. "write" makes a customer; "look" says into a file whether there is one, and where that was read."""
    for step in steps:
        if step[0] == "write":
            Customer.objects.create(name=step[1])
        elif step[0] == "die once":
            if not Path(step[1]).exists():
                Path(step[1]).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        elif step[0] == "look":
            look(Path(step[1]), step[2])
        else:
            queues.perform([step], send)


def look(path: Path, customer: str) -> None:
    """Say whether there is such a customer, and which alias was asked."""
    with observe.reads() as reads:
        found = Customer.objects.filter(name=customer).exists()
    with path.open("a") as file:
        file.write(json.dumps([found, *sorted(reads)]) + "\n")
