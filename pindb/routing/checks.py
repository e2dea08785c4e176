"""System checks of routers: those in `DATABASE_ROUTERS`, and the delegates in `PINDB_DELEGATE_ROUTERS`."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.core.checks import Warning
from django.utils.module_loading import import_string

from pindb.config.checks import Check, Findings
from pindb.routing.routers import PinDbRouter


def check_routers(**_: Any) -> Findings:
    """W005, W006, W007: `DATABASE_ROUTERS` has no router of ours, or another one before or after it."""
    routers = [import_string(router) if isinstance(router, str) else router for router in settings.DATABASE_ROUTERS]
    ours = [index for index, router in enumerate(routers) if _is_ours(router)]
    if not ours:
        what = "DATABASE_ROUTERS has no router of pindb: nothing is read from a replica."
        return [Warning(what, hint='Write DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"].', id="pindb.W005")]
    hint = "Move it to PINDB_DELEGATE_ROUTERS, where it names the masters."
    return [
        Warning(
            f"DATABASE_ROUTERS asks {name!r} before pindb: what it answers is not pinned.", hint=hint, id="pindb.W006"
        )
        if index < ours[0]
        else Warning(f"DATABASE_ROUTERS never asks {name!r}: pindb before it answers.", hint=hint, id="pindb.W007")
        for index, name in enumerate(settings.DATABASE_ROUTERS)
        if index != ours[0] and (hasattr(routers[index], "db_for_read") or hasattr(routers[index], "db_for_write"))
    ]


def _is_ours(router: object) -> bool:
    return issubclass(router if isinstance(router, type) else type(router), PinDbRouter)


CHECKS: Final[tuple[Check, ...]] = (check_routers,)
