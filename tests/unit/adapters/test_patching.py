"""Patches wrap once and leave no trace; a shared object stays wrapped until its last holder is gone."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

from pindb.adapters import Patch, is_wrapped, unwrap, wrap


class Base:
    def inherited(self) -> str:
        """Say what it is."""
        return "original"


class Owner(Base):
    def own(self) -> str:
        return "original"


def decorator(original: Any) -> Any:
    def method(*args: Any) -> str:
        return f"wrapped {original(*args)}"

    return method


@pytest.mark.parametrize("name", ["own", "inherited"])
def test_a_patch_wraps_once_and_is_undone_without_a_trace(name: str) -> None:
    before = dict(vars(Owner))
    patch = Patch(Owner, name, decorator)
    patch.undo()
    patch.apply()
    patch.apply()
    assert getattr(Owner(), name)() == "wrapped original"
    assert getattr(Owner, name).__doc__ == getattr(Base, name, Owner.own).__doc__
    patch.undo()
    patch.undo()
    assert dict(vars(Owner)) == before


def test_a_patch_that_somebody_has_patched_since_stays() -> None:
    patch = Patch(Owner, "own", decorator)
    ours = Owner.own
    try:
        patch.apply()
        theirs = Patch(Owner, "own", decorator)
        theirs.apply()
        patch.undo()
        assert Owner().own() == "wrapped wrapped original"
        patch.apply()
        assert Owner().own() == "wrapped wrapped original"
    finally:
        Owner.own = ours  # type: ignore[method-assign]


def test_a_patch_of_something_that_is_not_there_is_refused() -> None:
    with pytest.raises(AttributeError, match="missing"):
        Patch(Owner, "missing", decorator).apply()


class Holder:
    """Needs an object wrapped."""


def patch_of(shared: Owner) -> Patch:
    return Patch(shared, "own", decorator)


def test_an_object_is_wrapped_for_its_first_holder_and_unwrapped_after_its_last() -> None:
    shared, first, second = Owner(), Holder(), Holder()
    for holder in (first, first, second):
        wrap(shared, holder, patch_of(shared))
        assert shared.own() == "wrapped original"
    unwrap(shared, first)
    assert (is_wrapped(shared), shared.own()) == (True, "wrapped original")
    unwrap(shared, second)
    unwrap(shared, second)
    assert (is_wrapped(shared), shared.own()) == (False, "original")
    assert vars(shared) == {}


def test_a_holder_that_is_gone_holds_nothing() -> None:
    shared, holder = Owner(), Holder()
    wrap(shared, Holder(), patch_of(shared))
    gc.collect()
    wrap(shared, holder, patch_of(shared))
    assert shared.own() == "wrapped original"
    unwrap(shared, holder)
    assert vars(shared) == {}


def test_an_attribute_that_was_replaced_since_stays_and_is_wrapped_again() -> None:
    shared, holder = Owner(), Holder()
    wrap(shared, holder, patch_of(shared))
    shared.own = lambda: "another"  # type: ignore[method-assign]
    unwrap(shared, holder)
    assert shared.own() == "another"
    wrap(shared, holder, patch_of(shared))
    assert shared.own() == "wrapped another"


def test_two_threads_that_wrap_at_once_wrap_once() -> None:
    shared, holder, start = Owner(), Holder(), threading.Barrier(8, timeout=20)

    def run() -> None:
        start.wait()
        wrap(shared, holder, patch_of(shared))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared.own() == "wrapped original"


def test_what_cannot_be_wrapped_can_be_unwrapped() -> None:
    unwrap(object(), Holder())
    assert not is_wrapped(object())
