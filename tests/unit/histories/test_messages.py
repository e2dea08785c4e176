"""What becomes of messages: one is lost if the broker had it and no worker has done it."""

from __future__ import annotations

from pathlib import Path

import dramatiq
import pytest

from tests.histories.messages import Messages, new_lines
from tests.histories.names import message
from tests.histories.servers import BROKERS
from tests.histories.store import messages as store


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "messages"
    monkeypatch.setenv("SHOP_MESSAGES", str(path))
    return path


def test_a_message_that_was_accepted_waits_until_a_worker_has_done_it(file: Path) -> None:
    found = Messages(file)
    found.read()
    assert found.waiting == set()
    store.note("accepted", "celery:a:0")
    store.note("accepted", "celery:b:0")
    store.note("done", "celery:b:0")
    found.read()
    assert found.waiting == {"celery:a:0"}
    store.note("done", "celery:a:0")
    found.read()
    assert found.waiting == set()


def test_a_retry_is_a_message_of_its_own(file: Path) -> None:
    found = Messages(file)
    store.note("accepted", message("celery", "a", 0))
    store.note("done", message("celery", "a", 0))
    store.note("accepted", message("celery", "a", 1))
    found.read()
    assert found.waiting == {"celery:a:1"}


def test_a_message_that_was_not_sent_is_not_missed(file: Path) -> None:
    found = Messages(file)
    store.note("refused", "task")
    found.read()
    assert (found.refused, found.waiting) == (1, set())


def test_an_actor_that_fails_is_done_under_the_name_that_it_was_accepted_under(file: Path) -> None:
    """Dramatiq counts its retries up before it sends it again."""
    sent = dramatiq.Message("default", "run", (), {}, {})
    middleware, found = store.NoteMessages(), Messages(file)
    middleware.after_enqueue(None, sent, None)
    middleware.before_process_message(None, sent)
    sent.options["retries"] = 1
    middleware.after_process_message(None, sent, exception=ValueError())
    found.read()
    assert (len(found.accepted), found.waiting) == (1, set())


def test_a_line_that_is_still_being_written_is_read_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    lines = new_lines(path)
    path.write_text("one\ntw")
    assert next(lines) == ["one"]
    path.write_text("one\ntwo\n")
    assert next(lines) == ["two"]


def test_of_a_message_that_is_lost_it_is_told_whether_a_worker_had_it(file: Path) -> None:
    found = Messages(file)
    for line in ("accepted celery:a:0", "accepted celery:b:0", "received celery:b:0"):
        store.note(*line.split())
    found.read()
    assert found.lost() == ["celery:a:0 was not received", "celery:b:0 was received"]


@pytest.mark.parametrize(
    ("broker", "unexplained"), [("redis", {"dramatiq:b:0"}), ("rabbitmq", {"celery:a:0", "dramatiq:b:0"})]
)
def test_kombu_may_lose_a_message_of_celerys_in_redis_and_nobody_any_other_one(
    broker: str, unexplained: set[str], file: Path
) -> None:
    found = Messages(file, loses=BROKERS[broker].loses)
    store.note("accepted", "celery:a:0")
    store.note("accepted", "dramatiq:b:0")
    found.read()
    assert found.unexplained == unexplained
