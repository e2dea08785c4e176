"""A site with actors for groups, whose members pin and whose callbacks report."""

from __future__ import annotations

from typing import Any

from dramatiq import group
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits import RateLimiterBackend

import pindb
import pindb_dramatiq
from tests.unit.pindb_dramatiq.sites import Site

EVERYTHING = ["audit", "default"]


class Groups:
    """A site with actors for groups."""

    def __init__(self, site: Site, limits: RateLimiterBackend) -> None:
        self.site = site
        self.broker = site.broker
        [self.callbacks] = [each for each in self.broker.middleware if isinstance(each, GroupCallbacks)]
        self.callbacks.rate_limiter_backend = limits
        pindb_dramatiq.uninstall(self.broker)
        pindb_dramatiq.install(self.broker)

        @site.actor
        def pin(*names: str | None) -> None:
            for name in names:
                if name:
                    pindb.pin(name)

        @site.actor
        def look(*_: object) -> None:
            site.report()

        self.pin, self.look = pin, look

    def run(self, members: list[Any], *, callbacks: int = 1) -> None:
        made = group(members, broker=self.broker)
        for _ in range(callbacks):
            made.add_completion_callback(self.look.message())
        made.run()

    def members(self, *names: str | None) -> list[Any]:
        return [self.pin.message(name) for name in names]

    def pinned(self) -> list[str]:
        return self.site.pinned()
