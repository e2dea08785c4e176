"""The task of Huey's tests, on the Huey of its Django integration."""

from __future__ import annotations

from typing import Any

from huey.contrib.djhuey import HUEY, db_task

import pindb.contrib.huey
from tests.integration.contrib import jobs

pindb.contrib.huey.install(HUEY)


@db_task()
def perform(steps: Any, *results: Any, **more: Any) -> None:
    """Do `steps`. What tasks before this one have returned is added to the arguments."""
    assert more == {}
    jobs.perform(steps, perform)
