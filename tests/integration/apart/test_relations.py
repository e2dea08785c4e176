"""Whoever writes to a table with separate pins, or beside it, reads what it wrote, whichever model it reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models.signals import m2m_changed, pre_save
from django.test import override_settings

import pindb
from pindb import propagation
from tests.integration.apart.place import Place, handed_on, places, reads_replica, statements
from tests.shop.models import Customer

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def rows(place: Place, router: str) -> Any:
    """The rows that were there before; only the master has them. The strict router is told of ordinary writes."""
    from tests.integration.apart.rows import Rows

    with pindb.pinning_context(), pindb.master("default"):
        made = Rows()
    if router == "StrictPinDbRouter":
        pindb.pin("default", count_as_new=False)
    return made


Case = tuple[Callable[[Any], object], Callable[[Any], list[Any]], list[Any], set[str]]

ORDINARY, JOURNAL = {"default"}, {"default.journal"}

CASES: dict[str, Case] = {
    "a row of a table whose name is quoted": (
        lambda rows: rows.write_page(),
        lambda rows: rows.pages(),
        ["new"],
        JOURNAL,
    ),
    "a child elsewhere": (lambda rows: rows.rate(), lambda rows: rows.reviews(), [("old", 5)], ORDINARY),
    "the parent of a child elsewhere, read as the child": (
        lambda rows: rows.rename_reviewed_note(),
        lambda rows: rows.reviews(),
        [("new", 1)],
        ORDINARY | JOURNAL,
    ),
    "a child elsewhere, both its tables, read as the parent": (
        lambda rows: rows.rename_review(),
        lambda rows: rows.reviewed_notes(),
        ["new"],
        ORDINARY | JOURNAL,
    ),
    "a child of an ordinary row": (lambda rows: rows.number(), lambda rows: rows.receipts(), [(1, 7)], ORDINARY),
    "the parent of a child here, read as the child": (
        lambda rows: rows.reprice(),
        lambda rows: rows.receipts(),
        [(2, 1)],
        ORDINARY,
    ),
    "a link from a child of an ordinary row": (
        lambda rows: rows.annotate(),
        lambda rows: rows.annotated(),
        [1],
        ORDINARY | JOURNAL,
    ),
    "a link between rows of the app": (lambda rows: rows.relate(), lambda rows: rows.related(), ["old"], JOURNAL),
    "a link to an ordinary row, read from here": (
        lambda rows: rows.mention(),
        lambda rows: rows.mentioned(),
        ["Bob"],
        ORDINARY | JOURNAL,
    ),
    "a link to an ordinary row, read from there": (
        lambda rows: rows.mention(),
        lambda rows: rows.mentioning(),
        ["old"],
        ORDINARY | JOURNAL,
    ),
    "a link from an ordinary row, read from there": (
        lambda rows: rows.cite(),
        lambda rows: rows.cited(),
        ["old"],
        ORDINARY | JOURNAL,
    ),
    "a link from an ordinary row, read from here": (
        lambda rows: rows.cite(),
        lambda rows: rows.citing(),
        ["title"],
        ORDINARY | JOURNAL,
    ),
    "a link that is cut": (lambda rows: rows.uncite(), lambda rows: rows.cited_before(), [], ORDINARY | JOURNAL),
    "a link between ordinary rows": (lambda rows: rows.subscribe(), lambda rows: rows.readers(), ["Bob"], ORDINARY),
}


@pytest.mark.parametrize(("write", "read", "found", "pins"), CASES.values(), ids=CASES)
def test_what_was_written_is_read_by_its_writer_and_by_a_task_of_its_writer(
    rows: Any,
    write: Callable[[Any], object],
    read: Callable[[Any], list[Any]],
    found: list[Any],
    pins: set[str],
) -> None:
    write(rows)
    assert read(rows) == found
    assert handed_on() == pins
    with propagation.open_message(propagation.outgoing()):
        assert read(rows) == found


def test_a_model_that_is_named_alone_has_its_links_with_it(rows: Any) -> None:
    pindb.unpin_all()
    with override_settings(PINDB_SEPARATE_PINS=["journal.Note"]):
        rows.relate()
        assert rows.related() == ["old"]
        assert handed_on() == JOURNAL


def test_a_link_from_a_row_on_the_master_only_pins_the_ordinary_row_that_is_read_with_it(rows: Any) -> None:
    with override_settings(PINDB_SEPARATE_PINS=[], PINDB_MASTER_ONLY=["journal"]):
        rows.mention()
        assert rows.mentioned() == ["Bob"]
        assert handed_on() == ORDINARY
        with propagation.open_message(propagation.outgoing()):
            assert rows.mentioned() == ["Bob"]
            assert rows.mentioning() == ["old"]


def test_a_proxy_is_another_name_of_its_table() -> None:
    from django.contrib.sessions.models import Session

    from tests.integration.apart.press.models import Visit
    from tests.integration.apart.seeds import in_a_day

    with statements() as seen:
        Visit.objects.create(session_key="a-new-visit", session_data="", expire_date=in_a_day())
        assert handed_on() == {"default.sessions"}
        with propagation.open_message(propagation.outgoing()):
            assert Session.objects.filter(pk="a-new-visit").exists()
            assert Visit.objects.filter(pk="a-new-visit").exists()
            assert reads_replica()
        Session.objects.filter(pk="a-new-visit").delete()
    assert places(seen, "django_session") == {"default"}


def test_a_raw_statement_on_a_separate_table_pins_whatever_it_may_have_written(place: Place) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE journal_note SET text = text")
        cursor.execute("DELETE FROM django_session WHERE session_key = 'a-new-visit'")
    assert handed_on() >= {"default", "default.journal", "default.sessions"}
    assert Customer.objects.all().db == "default"


BEFORE: list[tuple[Callable[[Any], object], Callable[[Any], list[Any]]]] = [
    (lambda rows: rows.rename_review(), lambda rows: rows.reviewed_notes()),
    (lambda rows: rows.cite(), lambda rows: rows.citing()),
    (lambda rows: rows.cite(), lambda rows: rows.cited()),
    (lambda rows: rows.mention(), lambda rows: rows.mentioned()),
    (lambda rows: rows.mention(), lambda rows: rows.mentioning()),
]


@pytest.mark.parametrize("made_before", ["default", "default.journal", "audit"])
@pytest.mark.parametrize(("write", "read"), BEFORE)
def test_a_message_that_goes_out_before_the_write_pins_all_that_it_writes(
    rows: Any, write: Callable[[Any], object], read: Callable[[Any], list[Any]], made_before: str
) -> None:
    published: list[Any] = []

    def publish(**_: Any) -> None:
        published.append(propagation.outgoing())

    with pindb.pinning_context():
        pindb.pin("default", count_as_new=False)
        pindb.pin(made_before)
        for signal in (pre_save, m2m_changed):
            signal.connect(publish)
        try:
            write(rows)
        finally:
            for signal in (pre_save, m2m_changed):
                signal.disconnect(publish)
    with pindb.master("default"):
        found = read(rows)
    with propagation.open_message(published[0]):
        assert read(rows) == found
