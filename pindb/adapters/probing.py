"""The probe task: what `manage.py pindb_doctor --send` publishes to see whether a pin travels to a worker."""

from __future__ import annotations

import time
from typing import Any, Final

from pindb.api.functions import get_pinned
from pindb.config.database_sets import current_config

PROBE: Final = "pindb.probe"
"""The name of the task, which an adapter declares on its queue's workers. It takes no arguments."""


def probed() -> dict[str, Any]:
    """Return what the task answers: what is pinned for it, and what `pindb_doctor` compares with its own process."""
    config = current_config()
    return {
        "pinned": sorted(get_pinned()),
        "sets": sorted(config.sets),
        "enabled": config.settings.enabled,
        "clock": time.time(),
    }
