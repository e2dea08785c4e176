"""Django's tasks: the backend of django-tasks-db with its worker, and Django's own immediate one."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

import pindb
from pindb.adapters import KEY, NOTHING_PINNED
from pindb.testing.conformance import Conformance
from pindb.testing.queues import PIN, expect, report
from tests.integration.contrib.lag import ReadYourWrites, RunningQueue, expect_pinned_in_an_hour
from tests.servers import Kept

pytest.importorskip("django.tasks", reason="Django 5.2 has no tasks")


class DjangoTasks(RunningQueue):
    """The task of the default backend; eagerly, that of the immediate one."""

    name = "django.tasks with django-tasks-db"
    missing_header = "master"
    cannot = {  # noqa: RUF012 - read only
        "result": "A result is read from the task's row, and brings no pins.",
    }
    lacks = frozenset({"retry", "retry_writes", "redelivery", "sequence", "fan_in"})

    def __init__(self, worker: Kept) -> None:
        from tests.integration.contrib import django_tasks

        self.worker = worker
        self.perform, self.at_once = django_tasks.perform, django_tasks.at_once

    def send(self, steps: Any) -> Any:
        return self.perform.enqueue(steps)

    def send_delayed(self, steps: Any) -> Any:
        return self.perform.using(run_after=timezone.now() + datetime.timedelta(seconds=1)).enqueue(steps)

    def send_carrying(self, steps: Any, pins: str | None) -> Any:
        from django_tasks_db.models import DBTaskResult

        tomorrow = timezone.now() + datetime.timedelta(days=1)
        result = self.perform.using(run_after=tomorrow).enqueue(steps)
        stored = {"args": [steps], "kwargs": {}} if pins is None else {"args": [steps], "kwargs": {}, KEY: pins}
        DBTaskResult.objects.filter(pk=result.id).update(args_kwargs=stored, run_after=timezone.now())
        return result

    def run_eagerly(self, steps: Any) -> Any:
        return self.at_once.enqueue(steps)


@pytest.fixture(scope="module")
def worker(start: Callable[..., Kept]) -> Iterator[Kept]:
    with start(
        "-m", "django", "db_worker", "--interval", "0.05", "--no-startup-delay", missing_header="master"
    ) as worker:
        yield worker


class TestDjangoTasks(Conformance, ReadYourWrites):
    @pytest.fixture
    def queue(self, worker: Kept) -> DjangoTasks:
        return DjangoTasks(worker)

    async def test_a_task_that_is_enqueued_by_a_coroutine_starts_with_its_pins(
        self, queue: DjangoTasks, tmp_path: Path
    ) -> None:
        with pindb.pinning_context():
            pindb.pin("default")
            await queue.perform.aenqueue([report(tmp_path / "seen")])
        expect(queue, tmp_path / "seen", [True])

    async def test_an_immediate_task_of_a_coroutine_hands_its_pins_back(
        self, queue: DjangoTasks, tmp_path: Path
    ) -> None:
        with pindb.pinning_context():
            await queue.at_once.aenqueue([report(tmp_path / "seen"), PIN])
            assert pindb.get_newly_pinned() == {"default"}
        expect(queue, tmp_path / "seen", [False])

    def test_a_direct_call_is_a_function_call_in_its_callers_unit_of_work(
        self, queue: DjangoTasks, tmp_path: Path
    ) -> None:
        from django.tasks import TaskContext

        with pindb.pinning_context():
            result = queue.send([])
            queue.perform.call(TaskContext(task_result=result), [PIN])
            assert pindb.is_pinned("default")

    def test_pins_show_neither_in_results_nor_in_the_admin_but_in_the_database(self, queue: DjangoTasks) -> None:
        from django.contrib import admin
        from django.contrib.auth.models import User
        from django.test import RequestFactory
        from django_tasks_db.models import DBTaskResult

        with pindb.pinning_context(), pindb.master("default"):
            pindb.pin("default")
            result = queue.send([])
            assert result.kwargs == {} == queue.perform.get_result(result.id).kwargs
            row = DBTaskResult.objects.get(pk=result.id)
            assert row.args_kwargs == {"args": [[]], "kwargs": {}}
            stored = DBTaskResult.objects.values_list(f"args_kwargs__{KEY}", flat=True)
            assert stored.get(pk=result.id) != NOTHING_PINNED
            row.save()
            assert row.args_kwargs == {"args": [[]], "kwargs": {}}
            assert stored.get(pk=result.id) != NOTHING_PINNED
            request = RequestFactory().get("/")
            request.user = User(is_superuser=True, is_active=True)
            page = admin.site._registry[DBTaskResult].change_view(request, result.id).render()
        assert "&quot;kwargs&quot;" in page.text
        assert f"&quot;{KEY}&quot;" not in page.text

    def test_a_task_that_is_enqueued_in_a_long_transaction_starts_with_its_pins(
        self, queue: DjangoTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from django_tasks_db.models import DBTaskResult

        with pindb.pinning_context(), transaction.atomic():
            pindb.pin("default")
            result = queue.send([])
            stored = DBTaskResult.objects.values_list(f"args_kwargs__{KEY}", flat=True).get(pk=result.id)
        expect_pinned_in_an_hour(stored, monkeypatch)

    def test_a_write_that_never_came_is_not_handed_on(self, queue: DjangoTasks) -> None:
        from django.contrib.auth.models import User
        from django_tasks_db.models import DBTaskResult

        with pindb.pinning_context(), transaction.atomic():
            User.objects.filter(pk=-1).update(username="nobody")
            result = queue.send([])
            stored = DBTaskResult.objects.values_list(f"args_kwargs__{KEY}", flat=True)
            assert stored.get(pk=result.id) == NOTHING_PINNED

    def test_a_row_that_is_loaded_without_its_arguments_is_let_be(self, queue: DjangoTasks) -> None:
        from django_tasks_db.models import DBTaskResult

        with pindb.master("default"):
            result = queue.send([])
            row = DBTaskResult.objects.defer("args_kwargs").get(pk=result.id)
            assert "args_kwargs" not in vars(row)
            assert row.args_kwargs["kwargs"] == {}
