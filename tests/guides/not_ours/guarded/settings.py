"""As after the guide, with a view whose two lines are in the wrong order."""

from __future__ import annotations

from tests.guides.not_ours.after.settings import *  # noqa: F403

# begin middleware
MIDDLEWARE = ["pindb.middleware.PinDbMiddleware", "tests.guides.not_ours.guarded.early.tell_early"]
# end middleware
ROOT_URLCONF = "tests.guides.not_ours.guarded.urls"
