"""`pindb.master("default")` on a line of its own does nothing, and says so; nothing else does."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import warnings
from collections.abc import Iterator
from copy import copy
from typing import Any

import pytest

import pindb
import pindb_celery
import pindb_dramatiq
from pindb import pinned, with_masters
from pindb import unpinned_replica as replica

KEPT = pindb.master("default")


@contextlib.contextmanager
def said() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as messages:
        warnings.simplefilter("always")
        yield messages
        gc.collect()


def line() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def test_a_line_that_does_nothing_is_named() -> None:
    with said() as messages:
        here = line()
        pindb.master("default")
        pinned("default", "audit")
        replica("default")
        pindb.pinning_context()
        with_masters(["default", "audit"])
        pindb.with_replicas(
            "default",
        )
    assert [(message.category, message.filename) for message in messages] == [(RuntimeWarning, __file__)] * 6
    assert [message.lineno - here for message in messages] == [1, 2, 3, 4, 5, 6]
    assert [str(message.message).partition(" ")[0] for message in messages] == [
        "master('default')", "pinned('default',", "unpinned_replica('default')", "pinning_context()",
        "master('default',", "unpinned_replica('default')",
    ]  # fmt: skip
    assert str(messages[0].message).endswith(
        " on a line of its own does nothing. Write `with master('default'):` before the code that it is for, or "
        "`@master('default')` above a function."
    )
    assert 'pindb.pin("default")' in str(messages[1].message)


def test_a_line_is_named_once() -> None:
    with warnings.catch_warnings(record=True) as messages:
        warnings.simplefilter("default")
        for _ in range(3):
            pindb.master("default")
    assert len(messages) == 1


def test_a_line_with_a_decorator_for_tasks_is_named() -> None:
    with said() as messages:
        pindb_celery.pinned("default")
        pindb_dramatiq.unpinned("default")
    assert len(messages) == 2


async def test_a_line_in_a_coroutine_is_named() -> None:
    async def work() -> None:
        pindb.master("default")

    with said() as messages:
        await asyncio.create_task(work())
    assert len(messages) == 1


def conditional(needed: bool) -> None:
    block = pindb.master("default")
    if needed:
        with block:
            pass


def raising() -> None:
    with pytest.raises(ZeroDivisionError), pindb.master("default"):
        raise ZeroDivisionError


def kept_in_a_list() -> None:
    blocks = [pindb.master("default"), pindb.master("audit")]
    blocks.pop()
    blocks.clear()


def kept_in_a_dict() -> None:
    blocks: dict[str, Any] = {"a": pindb.master("default")}
    blocks.pop("a")
    blocks["b"] = pindb.pinned("default")
    del blocks["b"]


def decorated() -> None:
    @pindb.master("default")
    def function() -> None:
        pass

    function()
    pindb.pinned("default")(function)
    pindb.pinned("default")(function)()


def entered_by_hand() -> None:
    with contextlib.ExitStack() as stack:
        stack.enter_context(pindb.master("default"))
        stack.enter_context(copy(KEPT))
    pindb.master("default").__enter__().__exit__()


def asked_for_something() -> None:
    repr(pindb.master("default"))
    pindb.master("default").aliases  # noqa: B018
    isinstance(pindb.master("default"), object)


def raised_in_its_making() -> None:
    with pytest.raises(pindb.PinDbConfigError):
        pindb.master("defualt")
    with pytest.raises(pindb.PinDbConfigError):
        pindb.master()


def in_a_cycle() -> None:
    block: Any = pindb.master("default")
    block.itself = block


def given_back_and_dropped() -> None:
    def make() -> Any:
        return pindb.master("default")

    make()


def reused() -> None:
    for _ in range(2):
        with KEPT, KEPT:
            pass


@pytest.mark.parametrize(
    "use",
    [
        lambda: conditional(False),
        lambda: conditional(True),
        raising,
        kept_in_a_list,
        kept_in_a_dict,
        decorated,
        entered_by_hand,
        asked_for_something,
        raised_in_its_making,
        in_a_cycle,
        given_back_and_dropped,
        reused,
    ],
)
def test_what_is_used_or_kept_says_nothing(use: Any) -> None:
    with said() as messages:
        use()
    assert [str(message.message) for message in messages] == []
