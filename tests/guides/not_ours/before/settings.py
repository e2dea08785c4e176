"""What a settings file alone can do without pindb: a router for the replica."""

from __future__ import annotations

from typing import Any

from tests.guides.not_ours.theirs.defaults import *  # noqa: F403
from tests.guides.not_ours.theirs.defaults import DATABASES

DATABASES: dict[str, dict[str, Any]] = {  # type: ignore[no-redef]
    **DATABASES,
    "replica": {**DATABASES["default"], "HOST": "replica-1"},
}
DATABASE_ROUTERS = ["tests.guides.workers_on_master.before.routers.ReplicaRouter"]
GUIDE_CELERY = "tests.guides.not_ours.theirs.celery"
