"""As after the guide, with what it says for code that cannot be changed."""

from __future__ import annotations

from tests.guides.not_ours.after.settings import *  # noqa: F403
from tests.guides.not_ours.after.settings import INSTALLED_APPS

# begin middleware
MIDDLEWARE = ["pindb.middleware.PinDbMiddleware", "tests.guides.not_ours.guarded.early.tell_early"]
# end middleware
ROOT_URLCONF = "tests.guides.not_ours.guarded.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "tests.guides.not_ours.guarded.Masters"]
