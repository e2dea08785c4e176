"""Two masters with a replica each, none of them called "default", and two routers."""

from __future__ import annotations

# begin settings
POSTGRES = {"ENGINE": "django.db.backends.postgresql"}
DATABASES = {
    "default": {},
    "primary": {**POSTGRES, "NAME": "shop", "HOST": "master"},
    "replica": {**POSTGRES, "NAME": "shop", "HOST": "replica-1", "TEST": {"MIRROR": "primary"}},
    "billing": {**POSTGRES, "NAME": "billing", "HOST": "master"},
    "billing_replica": {**POSTGRES, "NAME": "billing", "HOST": "replica-1", "TEST": {"MIRROR": "billing"}},
}
DATABASE_ROUTERS = ["tests.guides.own_router.before.routers.Router"]
# end settings

MIDDLEWARE: list[str] = []
ROOT_URLCONF = "tests.guides.own_router.billing.urls"
INSTALLED_APPS = ["tests.guides.own_router.billing"]
