"""The panel for django-debug-toolbar: where the queries of a request went and why, and its pins."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from asgiref.sync import sync_to_async
from debug_toolbar.panels import Panel
from django.http import HttpRequest, HttpResponseBase
from django.template import Context, Engine

from pindb.config.database_sets import ALL_SETS, current_config
from pindb.core.frames import frame_var
from pindb.core.implicit import ImplicitUnitOfWork
from pindb.core.pins import NOTHING, Pin, PinSet
from pindb.core.unit_of_work import UnitOfWork
from pindb.lines import short_line
from pindb.monitoring.queries import QueryRecorder, on_replicas, summary

LONGEST_SQL: Final = 120

ENGINE: Final = Engine(dirs=[str(Path(__file__).parent)])
"""Finds the template wherever the project keeps its own, and whether or not it escapes these."""


class PinDbPanel(Panel):
    """Shows what happened to the queries of one request. It asks no server and changes no decision.

    DEBUG_TOOLBAR_PANELS = [..., "pindb.monitoring.toolbar.PinDbPanel"]
    """

    is_async = True
    nav_title = "pindb"
    title = "Where the queries went, and why"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._recorder: QueryRecorder | None = None
        self._unit: UnitOfWork | None = None
        self._came_in = NOTHING

    @property
    def nav_subtitle(self) -> str:
        stats = self.get_stats()
        return f"{stats['on_replicas']} of {stats['reads']} reads on replicas" if stats else ""

    @property
    def content(self) -> str:
        return ENGINE.get_template("toolbar.html").render(Context(self.get_stats()))

    def enable_instrumentation(self) -> None:
        if self._recorder is not None:
            return
        self._recorder = QueryRecorder().__enter__()
        frame = frame_var.get()
        if frame is not None and not isinstance(frame.unit, ImplicitUnitOfWork):
            self._unit, self._came_in = frame.unit, frame.unit.inherited

    async def aenable_instrumentation(self) -> None:
        self.enable_instrumentation()
        if self._recorder is not None:
            # The queries of an asynchronous request are sent by this thread.
            await sync_to_async(self._recorder.watch_thread)()

    def disable_instrumentation(self) -> None:
        if self._recorder is not None:
            self._recorder.__exit__(None, None, None)

    def generate_stats(self, request: HttpRequest, response: HttpResponseBase) -> None:  # noqa: ARG002
        """Record text and numbers only: the toolbar's store makes JSON of it."""
        queries = [] if self._recorder is None else self._recorder.queries
        reads = [query for query in queries if query.is_read]
        places = Counter((query.alias, query.reason) for query in reads)
        self.record_stats(
            {
                "summary": summary(queries),
                "reads": len(reads),
                "on_replicas": len(on_replicas(reads)),
                "places": [{"alias": alias, "reason": reason, "reads": n} for (alias, reason), n in places.items()],
                "queries": [query.short_texts(LONGEST_SQL) for query in queries],
                "has_unit": self._unit is not None,
                "pins": [] if self._unit is None else list(pin_rows(self._unit, self._came_in, time.time())),
            }
        )


def pin_rows(unit: UnitOfWork, came_in: PinSet, now: float) -> Iterator[dict[str, str]]:
    """Produce a row for each DB set that is pinned or was, whatever made the pin."""
    new, given = unit.newly_pinned, unit.inherited.alive(now)
    for name in sorted({*came_in, *given, *new, *unit.held_pins}):
        handed_on = [f"new: {_new_pin()}"] if name in new else []
        if name in given:
            handed_on.append("as it came in" if given[name] == came_in.get(name) else _described(given[name], now))
        yield {
            "db_set": "every DB set" if name == ALL_SETS else name,
            "came_in": _described(came_in[name], now) if name in came_in else "",
            "handed_on": "; ".join(handed_on),
            "origin": short_line(unit.origin_of(name).where),
        }


def _new_pin() -> str:
    """Return what a response hands on for a write. The position is not asked for here: servers are asked later."""
    settings = current_config().settings
    if settings.positions:
        return f"until a replica has caught up, at most {settings.position_seconds:g} s"
    return f"for {settings.pinning_seconds:g} s"


def _described(pin: Pin, now: float) -> str:
    parts = [f"for {int(pin.until - now)} s"] if pin.until > now else []
    parts += [
        f"until a replica has caught up with {log}:{offset:x}, at most {int(expires_at - now)} s"
        for log, offset, expires_at in pin.positions
    ]
    return "; ".join(parts) or "lapsed"
