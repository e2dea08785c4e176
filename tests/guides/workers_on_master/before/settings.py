"""The web reads a replica; workers are started with WORKER=1, and have no router."""

from __future__ import annotations

# begin settings
import os

POSTGRES = {"ENGINE": "django.db.backends.postgresql", "NAME": "shop"}
DATABASES = {
    "default": {**POSTGRES, "HOST": "master"},
    "replica": {**POSTGRES, "HOST": "replica-1", "TEST": {"MIRROR": "default"}},
}
DATABASE_ROUTERS = [] if os.environ.get("WORKER") else ["tests.guides.workers_on_master.before.routers.ReplicaRouter"]
# end settings
