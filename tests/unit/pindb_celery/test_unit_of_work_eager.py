"""Tasks run eagerly, in their caller's process: a unit of work inside the caller's."""

from __future__ import annotations

import pytest
from celery import Celery, chain
from celery.exceptions import AlwaysEagerIgnored
from django.db.utils import ConnectionRouter

import pindb
from tests.shop.models import Order
from tests.unit.pindb_celery.apps import where
from tests.unit.pindb_celery.test_unit_of_work import published_by

router = ConnectionRouter(["pindb.GreedyPinDbRouter"])


def test_it_starts_with_its_callers_pins(app: Celery) -> None:
    pindb.pin("default")
    assert app.tasks["where"].apply().get()["pinned"] == ["default"]


def test_it_hands_its_new_pins_back(app: Celery) -> None:
    @app.task
    def write() -> None:
        pindb.pin("default")

    write.apply()
    assert pindb.get_newly_pinned() == {"default"}
    assert router.db_for_read(Order) == "default"


def test_it_hands_them_back_when_it_fails_too(app: Celery) -> None:
    @app.task
    def write_and_fail() -> None:
        pindb.pin("default")
        raise ZeroDivisionError

    assert write_and_fail.apply().failed()
    assert pindb.get_newly_pinned() == {"default"}


def test_its_unpinning_takes_nothing_from_its_caller(app: Celery) -> None:
    @app.task
    def unpin() -> list[str]:
        pindb.unpin_all()
        return where()["pinned"]

    pindb.pin("default")
    assert unpin.apply().get() == []
    assert pindb.get_newly_pinned() == {"default"}


def test_nested_and_retried_it_closes_what_it_opens(app: Celery) -> None:
    @app.task(bind=True, max_retries=2)
    def flaky(self) -> list[str]:  # type: ignore[no-untyped-def]
        inner = app.tasks["where"].apply().get()["pinned"]
        if self.request.retries < 2:
            pindb.pin("audit")
            raise self.retry(countdown=0)
        return inner

    with pindb.pinning_context():
        assert flaky.apply().get() == ["audit"], "a retry reads what the attempt before it wrote"
        assert pindb.get_newly_pinned() == {"audit"}
    assert pindb.get_pinned() == set()


def test_always_eager_is_eager(app: Celery) -> None:
    app.conf.task_always_eager = True

    @app.task
    def write(*_: object) -> list[str]:
        pindb.pin("default")
        return where()["new"]

    assert chain(write.s(), write.s())().get() == ["default"]
    assert pindb.get_newly_pinned() == {"default"}


def test_by_its_name_a_task_is_published_all_the_same(app: Celery) -> None:
    app.conf.task_always_eager = True
    pindb.pin("default")
    with pytest.warns(AlwaysEagerIgnored):
        assert published_by(lambda: app.send_task("where")) == {"default"}


def test_a_direct_call_is_a_function_call(app: Celery) -> None:
    pindb.pin("default")
    assert app.tasks["where"]()["new"] == ["default"]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_exit_in_it_leaves_nothing_open(app: Celery, error: type[BaseException]) -> None:
    @app.task
    def leave() -> None:
        pindb.pin("default")
        raise error

    with pindb.pinning_context():
        with pytest.raises(error):
            leave.apply()
        assert pindb.get_newly_pinned() == {"default"}
    assert pindb.get_pinned() == set()
