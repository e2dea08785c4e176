"""What the decorators decorate, and what they refuse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import pindb
from pindb import PinDbConfigError
from tests.unit.api.test_context_managers import aread, read


def test_a_decorated_function_keeps_its_name_and_docstring() -> None:
    @pindb.master("default")
    def work() -> None:
        """What it does."""

    assert (work.__name__, work.__doc__) == ("work", "What it does.")


@pytest.mark.parametrize("make", [pindb.pinned, pindb.master, pindb.unpinned_replica])
def test_a_misspelt_alias_is_an_error_when_decorating(make: Any) -> None:
    with pytest.raises(PinDbConfigError, match="'defualt' is not a database alias. Did you mean 'default'"):
        make("defualt")


@pytest.mark.parametrize("make", [pindb.pinned, pindb.master, pindb.unpinned_replica])
@pytest.mark.parametrize("argument", [(), (read,), (None,), (["default"],)])
def test_a_decorator_without_an_alias_says_what_to_type(make: Any, argument: Any) -> None:
    with pytest.raises(PinDbConfigError, match=f'Write {make.__name__}\\("default"\\)'):
        make(*argument)


@pytest.mark.parametrize("argument", [[], None, 5, [None]])
def test_the_old_decorators_say_what_to_type_as_well(argument: Any) -> None:
    for make in (pindb.with_masters, pindb.with_replicas):
        with pytest.raises(PinDbConfigError, match="needs aliases of databases"):
            make(argument)


def test_what_cannot_be_decorated_is_refused() -> None:
    def generate() -> Iterator[None]:
        yield

    async def agenerate() -> AsyncIterator[None]:
        yield

    for function in (generate, agenerate):
        with pytest.raises(PinDbConfigError, match="which returns a generator"):
            pindb.master("default")(function)
    with pytest.raises(PinDbConfigError, match="cannot decorate 5"):
        pindb.master("default")(5)  # type: ignore[arg-type]


def test_methods_of_all_kinds_can_be_decorated() -> None:
    class Service:
        @pindb.master("default")
        @staticmethod
        async def static() -> str:
            return await aread()

        @pindb.master("default")
        @classmethod
        def of_class(cls) -> tuple[type, str]:
            return cls, read()

        @pindb.master("default")
        def method(self) -> str:
            return read()

        async def __call__(self) -> str:
            return await aread()

    assert asyncio.run(Service.static()) == "default"
    assert Service.of_class() == (Service, "default")
    assert Service().method() == "default"
    assert asyncio.run(pindb.master("default")(Service())()) == "default"


def test_a_coroutine_made_by_a_plain_function_runs_inside() -> None:
    @pindb.master("default")
    def make() -> Any:
        return aread()

    assert asyncio.run(make()) == "default"
    assert read() != "default"


def test_a_generator_made_by_a_plain_function_is_refused() -> None:
    @pindb.master("default")
    def make() -> Any:
        return (read() for _ in range(2))

    with pytest.raises(PinDbConfigError, match="which returns a generator"):
        make()


def test_a_class_is_refused() -> None:
    with pytest.raises(PinDbConfigError, match="a class's method"):
        pindb.master("default")(dict)


def test_runs_of_one_decorated_function_that_overlap_leave_their_own() -> None:
    override = pindb.master("default")

    def hold() -> Iterator[None]:
        with override:
            yield

    generator = hold()
    next(generator)

    @override
    def inner() -> str:
        generator.close()
        return read()

    assert inner() == "default"
