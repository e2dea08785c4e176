"""What `work.py` does, for async views: with Django's async ORM where it has the step, in a thread where it has not.

Messages are sent from the event loop itself, as async views do: no query is allowed there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from asgiref.sync import sync_to_async
from django.db import router
from django.db.backends.signals import connection_created

from tests.histories.store import work
from tests.histories.store.models import row
from tests.histories.store.units import Unit

_aliases: ContextVar[list[str] | None] = ContextVar("_aliases", default=None)
"""Where the SELECTs of the running read have gone. Django hands the variable on to the threads that run them."""


def _watch(connection: Any, **_: Any) -> None:
    if _note_alias not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, _note_alias)  # `execute_wrapper()` takes away the last one


def _note_alias(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    aliases = _aliases.get()
    if aliases is not None and sql.lstrip().upper().startswith("SELECT"):
        aliases.append(context["connection"].alias)
    return execute(sql, params, many, context)


connection_created.connect(_watch)


async def perform(unit: Unit, plan: work.Plan) -> None:
    """Do the steps. What fails is recorded, and raised."""
    try:
        for do, *what in plan:
            await STEPS[do](unit, *what)
    except Exception as error:
        unit.failed(error)
        raise


async def _read(unit: Unit, key: str, style: str) -> None:
    if style == "raw":  # which has no async form
        await sync_to_async(work.read)(unit, key, style)
        return
    model, pk = row(key)
    rows: Any = model._default_manager
    aliases: list[str] = []
    token = _aliases.set(aliases)
    try:
        if style == "get":
            version = (await rows.aget(pk=pk)).version
        else:
            [version] = [version async for version in rows.filter(pk=pk).values_list("version", flat=True)]
    finally:
        _aliases.reset(token)
    unit.note("read", key, version, aliases[-1])


async def _write(unit: Unit, key: str, style: str, then: Any = None) -> None:
    if style != "update":  # they need transactions, which have no async form
        await sync_to_async(work.write)(unit, key, style, then)
        return
    model, pk = row(key)
    rows: Any = model._default_manager
    master = router.db_for_write(model)
    written = 0
    while not written:  # until nobody else has counted it up in between
        version = (await rows.using(master).aget(pk=pk)).version
        written = await rows.filter(pk=pk, version=version).aupdate(version=version + 1)
    unit.note("write", key, version + 1, master)


async def _take(unit: Unit, queue: str, plan: work.Plan) -> None:
    await sync_to_async(work.take)(unit, queue, plan, in_task=False)


async def _pause(_: Unit, seconds: float) -> None:
    await asyncio.sleep(seconds)


async def _again(_: Unit) -> None:
    """Do nothing: a request is not retried."""


def _send_from_the_event_loop(queue: str) -> Callable[..., Awaitable[None]]:
    async def send(unit: Unit, path: str, plans: list[work.Plan]) -> None:
        work.STEPS[queue](unit, path, plans)

    return send


STEPS: dict[str, Callable[..., Awaitable[None]]] = {
    "read": _read,
    "write": _write,
    "take": _take,
    "pause": _pause,
    "again": _again,
    "celery": _send_from_the_event_loop("celery"),
    "dramatiq": _send_from_the_event_loop("dramatiq"),
}
