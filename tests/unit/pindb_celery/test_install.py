"""`install` and `uninstall`: twice is once, and one undoes the other."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from celery import Celery, current_app, signals
from celery.app.amqp import AMQP
from celery.exceptions import SoftTimeLimitExceeded

import pindb
import pindb_celery
from pindb import PinDbConfigError, adapters
from pindb.adapters import loaded
from pindb.propagation import messages
from tests.carriers import pins_of
from tests.unit.pindb_celery.apps import celery_app, where

SIGNALS = (signals.task_prerun, signals.task_postrun)


def receivers() -> list[int]:
    return [len(signal.receivers) for signal in SIGNALS]


def test_twice_is_once_and_uninstall_undoes_it() -> None:
    before = receivers()
    with celery_app() as app:
        once = receivers()
        pindb_celery.install(app)
        assert receivers() == once == [count + 1 for count in before]
        pindb_celery.uninstall(app)
        assert receivers() == before
        pindb_celery.uninstall(app)
        assert receivers() == before


def test_the_app_alone_has_the_probe_task_which_is_none_of_the_projects(app: Celery) -> None:
    pindb.pin("default")
    assert app.tasks[adapters.PROBE].apply().get()["pinned"] == ["default"]
    assert adapters.PROBE not in loaded.tasks()
    with celery_app(installed=False) as other:
        assert adapters.PROBE not in other.tasks


def test_a_soft_time_limit_that_arrives_in_code_of_ours_is_not_swallowed(app: Celery) -> None:
    def arrives(*_: Any) -> Any:
        raise SoftTimeLimitExceeded

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(messages, "current_config", arrives)
        with pytest.raises(SoftTimeLimitExceeded):
            app.send_task("where")


def test_the_hooks_survive_the_garbage_collector(app: Celery) -> None:
    gc.collect()
    pindb.pin("default")
    assert app.tasks["where"].apply().get()["pinned"] == ["default"]


def test_uninstalling_one_app_leaves_the_others_alone(app: Celery) -> None:
    with celery_app() as other:
        pindb_celery.uninstall(other)
        pindb.pin("default")

        @other.task
        def look_in_other() -> Any:
            return where()

        assert look_in_other.apply().get()["new"] == ["default"], "not installed: it runs in its caller's context"
        assert app.tasks["where"].apply().get()["new"] == ["default"]


def test_a_task_of_an_app_that_is_not_installed_gets_no_context(app: Celery) -> None:
    with celery_app(installed=False) as other:

        @other.task
        def unpin() -> None:
            pindb.unpin_all()

        pindb.pin("default")
        unpin.apply()
        assert pindb.get_pinned() == set()


def published(app: Celery, **options: Any) -> dict[str, Any]:
    """Return the headers of a message that `app` publishes."""
    app.send_task("where", queue="published", **options)
    with app.connection_for_read() as connection:
        message = connection.default_channel.basic_get("published", no_ack=True)
        return dict(message.headers)


def test_an_app_that_has_published_before_carries_pins_once_it_is_installed() -> None:
    pindb.pin("default")
    with celery_app(installed=False) as app:
        assert "pindb" not in published(app)
        pindb_celery.install(app)
        assert set(pins_of(published(app)["pindb"])) == {"default"}
        pindb_celery.uninstall(app)
        assert "pindb" not in published(app)


def test_headers_of_the_publish_stay(app: Celery) -> None:
    given = {"trace": "1"}
    assert published(app, headers=given)["trace"] == "1"
    assert given == {"trace": "1"}, "the caller's own"
    assert published(app, headers=[("trace", "2")])["trace"] == "2", "whatever Celery takes"


def test_a_celery_that_lacks_what_is_patched_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with celery_app(installed=False) as app:
        monkeypatch.delattr(AMQP, "_create_task_sender")
        with pytest.raises(PinDbConfigError, match=r"has no AMQP\._create_task_sender.* pip install"):
            pindb_celery.install(app)
        pindb_celery.uninstall(app)


def test_the_current_app_can_be_installed(app: Celery) -> None:
    before = receivers()
    pindb_celery.install(current_app)
    assert receivers() == before
    pindb_celery.uninstall(current_app)
    assert receivers() != before


@pytest.mark.parametrize("function", [pindb_celery.install, pindb_celery.uninstall])
@pytest.mark.parametrize("argument", [None, "shop", Celery])
def test_anything_but_an_app_says_what_to_type(function: Any, argument: Any) -> None:
    with pytest.raises(
        PinDbConfigError, match=rf"pindb_celery\.{function.__name__}\(\) got .*{function.__name__}\(app\)"
    ):
        function(argument)
