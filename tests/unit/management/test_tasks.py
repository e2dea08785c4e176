"""`manage.py pindb_explain --task`: the queries of a task's body, run here as a worker would run it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest
from celery import Celery, Task, signals
from celery.exceptions import Retry
from django.core.management import CommandError, call_command
from django.test import override_settings
from dramatiq.brokers.stub import StubBroker

import pindb
import pindb_celery
from tests.shop.models import Customer, Order
from tests.unit.pindb_celery.apps import celery_app

pytestmark = pytest.mark.usefixtures("shop_tables")

HERE = __name__


def look(name: str = "") -> None:
    """Read."""
    Customer.objects.filter(name=name).exists()


def register(name: str, *, fails: bool = False) -> None:
    """Read, write, and read again."""
    Order.objects.count()
    Customer.objects.create(name=name)
    Customer.objects.filter(name=name).exists()
    if fails:
        raise LookupError(f"nobody knows {name}")


async def look_async(name: str = "") -> None:
    await Customer.objects.filter(name=name).aexists()


actor = dramatiq.actor(look, actor_name="look", broker=StubBroker())
async_actor = dramatiq.actor(look_async, broker=StubBroker())


def run(name: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command("pindb_explain", "--task", name, *arguments, "--write", stdout=out)
    return out.getvalue()


def run_json(name: str, *arguments: str) -> Any:
    return json.loads(run(name, *arguments, "--json"))


def reasons(answer: Any) -> list[str]:
    return [query["reason"] for query in answer["queries"]]


@pytest.fixture
def app() -> Iterator[Celery]:
    with celery_app() as made:
        yield made


@pytest.fixture
def published() -> Iterator[list[str]]:
    """The names of the tasks whose messages are published."""
    names: list[str] = []

    def note(sender: str, **_: Any) -> None:
        names.append(sender)

    signals.before_task_publish.connect(note, weak=False)
    yield names
    signals.before_task_publish.disconnect(note)


def test_each_query_has_its_table_its_reason_its_line_and_the_line_that_pinned() -> None:
    answer = run_json(f"{HERE}.register", "--args", '["Ada"]')
    assert (answer["task"], answer["error"]) == (f"{HERE}.register", None)
    assert [(query["table"], query["reason"]) for query in answer["queries"]] == [
        ("shop_order", "replica"), ("shop_customer", "write"), ("shop_customer", "pinned by a write here"),
    ]  # fmt: skip
    assert all(query["line"].startswith(f"{__file__}:") for query in answer["queries"])
    _, write, last = answer["queries"]
    assert last["origin"] == write["line"]


def test_the_table_says_what_was_run_and_what_would_help() -> None:
    text = run(f"{HERE}.register", "--kwargs", '{"name": "Ada"}')
    assert text.startswith(f"{HERE}.register(name='Ada'): done\n")
    assert "alias" in text.splitlines()[2]
    assert "3 queries, 2 reads: 1 on replicas. 1 would go to a replica without this cause: pinned by a write" in text


def test_it_starts_with_nothing_pinned_as_another_unit_of_work() -> None:
    pindb.pin("default")
    assert reasons(run_json(f"{HERE}.look")) == ["replica"]
    with pindb.pinning_context():
        run(f"{HERE}.register", "--args", '["Ada"]')
        assert pindb.get_pinned() == set()


def test_nothing_runs_without_leave_to_write() -> None:
    with pytest.raises(CommandError, match="A task may write .* enqueue other tasks.* Type --write"):
        call_command("pindb_explain", "--task", f"{HERE}.register", "--args", '["Ada"]')
    assert not Customer.objects.using("default").exists()


@pytest.mark.parametrize("as_json", [True, False])
def test_a_task_that_raises_is_told_up_to_there_then_its_error(as_json: bool) -> None:
    out = io.StringIO()
    arguments = ["--args", '["Ada"]', "--kwargs", '{"fails": true}', "--write", *(["--json"] if as_json else [])]
    with pytest.raises(CommandError, match="The task has raised LookupError: nobody knows Ada") as raised:
        call_command("pindb_explain", "--task", f"{HERE}.register", *arguments, stdout=out)
    assert isinstance(raised.value.__cause__, LookupError)
    text = out.getvalue()
    if as_json:
        assert json.loads(text)["error"] == "LookupError: nobody knows Ada"
        assert len(json.loads(text)["queries"]) == 3
    else:
        assert text.startswith(f"{HERE}.register('Ada', fails=True): LookupError: nobody knows Ada\n")
        assert "3 queries" in text


def test_a_celery_task_is_found_by_its_registered_name_before_a_function_of_that_path(app: Celery) -> None:
    app.task(name=f"{HERE}.look")(pindb_celery.pinned("default")(look))
    app.task(name="say-hello")(look)
    assert reasons(run_json("say-hello")) == ["replica"]
    assert reasons(run_json(f"{HERE}.look")) == ["pinned by hand"], "its decorators hold"
    assert reasons(run_json(f"{HERE}.look_async")) == ["replica"]


def test_the_modules_of_a_celery_app_are_imported_to_find_a_task(app: Celery) -> None:
    imported: list[str] = []

    @signals.import_modules.connect
    def on_import(**_: Any) -> None:
        if not imported:
            imported.append("late")
            app.task(name="late")(look)

    try:
        assert reasons(run_json("late")) == ["replica"]
    finally:
        signals.import_modules.disconnect(on_import)


def test_a_celery_task_publishes_what_it_enqueues_and_no_message_of_its_own(app: Celery, published: list[str]) -> None:
    @app.task(name="greet", bind=True)
    def greet(self: Task[Any, Any], name: str) -> None:
        assert self.name == "greet"
        Customer.objects.create(name=name)
        app.send_task("where")

    assert reasons(run_json("greet", "--args", '["Ada"]')) == ["write"]
    assert published == ["where"]


def test_a_retry_is_an_error_and_runs_and_publishes_nothing(app: Celery, published: list[str]) -> None:
    runs: list[int] = []

    @app.task(name="again", bind=True)
    def again(self: Task[Any, Any]) -> None:
        runs.append(1)
        raise self.retry()

    with pytest.raises(CommandError, match="The task has raised Retry") as raised:
        run("again")
    assert isinstance(raised.value.__cause__, Retry)
    assert (runs, published) == ([1], [])


def test_a_dramatiq_actor_is_found_by_its_path_and_by_its_name() -> None:
    before = dramatiq.get_broker()
    dramatiq.set_broker(actor.broker)
    try:
        assert reasons(run_json(f"{HERE}.actor", "--args", '["Ada"]')) == ["replica"]
        assert reasons(run_json("look")) == ["replica"]
    finally:
        dramatiq.set_broker(before)
    assert actor.broker.queues["default"].qsize() == 0


@pytest.mark.parametrize("name", ["look_async", "async_actor"])
def test_an_async_body_runs_and_its_queries_have_its_lines(name: str) -> None:
    (query,) = run_json(f"{HERE}.{name}", "--args", '["Ada"]')["queries"]
    assert query["reason"] == "replica"
    line = look_async.__code__.co_firstlineno + 1
    assert query["line"] == f"{__file__}:{line}"


def test_the_body_of_a_task_of_django_runs_and_it_is_not_enqueued() -> None:
    pytest.importorskip("django.tasks")
    from django.tasks import default_task_backend, task_backends

    with override_settings(TASKS={"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}}):
        task_backends.settings = task_backends.configure_settings(None)
        globals()["of_django"] = default_task_backend.task_class(
            priority=0, func=look, backend="default", queue_name="default", run_after=None
        )
        assert reasons(run_json(f"{HERE}.of_django")) == ["replica"]


def test_the_body_of_a_task_of_huey_runs_and_it_is_not_enqueued() -> None:
    huey = pytest.importorskip("huey").MemoryHuey(immediate=False)
    globals()["of_huey"] = huey.task()(look)
    assert reasons(run_json(f"{HERE}.of_huey")) == ["replica"]
    assert len(huey) == 0


def test_in_shadow_mode_the_summary_says_what_would_be() -> None:
    with override_settings(PINDB_MODE="shadow"):
        text = run(f"{HERE}.register", "--args", '["Ada"]')
    assert "replica (shadow)" in text
    assert (
        "3 queries, 2 reads: 0 on replicas, 1 more without shadow mode. "
        "1 would go to a replica without this cause: pinned by a write here (" in text
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Type either the path of a request, .* or a task"),
        (("/look/", "--task", "shop.confirm"), "Type either the path of a request, .* or a task"),
        (("/look/", "--args", "[7]"), "--args is for a task, and this is a request. Leave it out"),
        (("--task", "shop.confirm", "--user", "ada"), "--user is for a request, and this is a task. Leave it out"),
        (("--task", f"{HERE}.look", "--write", "--args", "[7"), r"--args '\[7' is no JSON \(.*\). Type --args '\[7\]'"),
        (("--task", f"{HERE}.look", "--write", "--args", "{}"), "--args '{}' is no list in JSON"),
        (("--task", f"{HERE}.look", "--write", "--kwargs", "[]"), r"--kwargs '\[\]' is no object in JSON. Type"),
        (("--task", f"{HERE}.Order", "--write"), f"{HERE}.Order is no task and no function, but <class"),
        (("--task", f"{HERE}.HERE", "--write"), f"{HERE}.HERE is no task and no function"),
        (("--task", "tests.shop.jbs.confirm", "--write"), "There is no task 'tests.shop.jbs.confirm' .No module named"),
    ],
)
def test_what_is_mistyped_gets_an_answer(arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        call_command("pindb_explain", *arguments)


def test_a_name_that_is_nearly_right_is_named(app: Celery) -> None:
    with pytest.raises(CommandError, match="There is no task 'were' .* Did you mean 'where'?"):
        run("were")
