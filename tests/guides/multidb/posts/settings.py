"""As after the guide, with one middleware more."""

from __future__ import annotations

from tests.guides.multidb.after.settings import *  # noqa: F403

MIDDLEWARE = ["pindb.middleware.PinDbMiddleware", "tests.guides.multidb.posts.pin_posts"]
