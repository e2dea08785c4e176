"""Tasks that write and publish in threads and coroutines of their own."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async

from tests.integration.celery.project import app, note, record, write

Work = Callable[[], Any]


def in_thread(work: Work) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def in_thread_that_is_told(work: Work) -> None:
    in_thread(partial(contextvars.copy_context().run, work))


def in_pool_that_is_told(work: Work) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, work).result()


def in_asyncio_task(work: Work) -> None:
    async def main() -> None:
        await asyncio.create_task(sync_to_async(work)())

    asyncio.run(main())


def in_to_thread(work: Work) -> None:
    asyncio.run(asyncio.to_thread(work))


@app.task
def writes_somewhere(place: str, key: str) -> None:
    globals()[place](partial(write, "audit"))
    note.delay(key)


@app.task
def publishes_somewhere(place: str, key: str) -> None:
    write("audit")
    globals()[place](partial(note.delay, key))


@app.task
def leaves_a_thread_behind(go: str, key: str) -> None:
    def straggle() -> None:
        while not Path(go).exists():
            time.sleep(0.01)
        write("audit")
        note.delay(f"published {key}")
        record(f"wrote {key}")

    threading.Thread(target=contextvars.copy_context().run, args=(straggle,)).start()
