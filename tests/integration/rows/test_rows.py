"""A row that the router read from a replica belongs to the master, as far as Django sees."""

from __future__ import annotations

import copy
import datetime
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import django
import pytest
from django.apps import apps
from django.db import connections, transaction
from django.db.models import prefetch_related_objects
from django.test import override_settings

import pindb

pytestmark = pytest.mark.usefixtures("stocked")

REPLICAS = {"library-1", "library-2"}


def model(name: str) -> Any:
    return apps.get_model("rows", name)


@pytest.fixture
def seen(library: Any, stocked: Any) -> Iterator[list[tuple[str, str]]]:
    """What runs on the DB set, and where."""
    with library.statements() as seen:
        yield seen


def places(seen: list[tuple[str, str]]) -> set[str]:
    return {alias for alias, _ in seen}


def elsewhere(change: Callable[[], object]) -> None:
    """Do what another process does on the master."""
    with pindb.pinning_context(), pindb.master("library"):
        change()


async def first_of(rows: Any) -> Any:
    found = [row async for row in rows]
    return found[0]


# ruff: noqa: PLW0108 - the models are not there yet when this is run
RAW = "SELECT * FROM rows_author"
WAYS: dict[str, Callable[[], Any]] = {
    "get": lambda: model("Author").objects.get(),
    "first": lambda: model("Author").objects.first(),
    "only": lambda: model("Author").objects.only("name").get(),
    "iterator": lambda: next(model("Author").objects.iterator()),
    "raw": lambda: model("Author").objects.raw(RAW)[0],
    "in_bulk": lambda: next(iter(model("Author").objects.in_bulk().values())),
    "select_related": lambda: model("Book").objects.select_related("author").first().author,
    "prefetch_related": lambda: model("Book").objects.prefetch_related("author").first().author,
    "prefetched to many": lambda: model("Author").objects.prefetch_related("books").get().books.all()[0],
    "prefetched many to many": lambda: model("Book").objects.prefetch_related("readers").first().readers.all()[0],
    "prefetched generic": lambda: model("Label").objects.prefetch_related("target").first().target,
    "foreign key": lambda: model("Book").objects.first().author,
    "reverse foreign key": lambda: model("Author").objects.get().books.first(),
    "many to many": lambda: model("Book").objects.first().readers.get(),
    "generic foreign key": lambda: model("Label").objects.first().target,
    "generic relation": lambda: model("Author").objects.get().labels.get(),
    "next by date": lambda: model("Book").objects.earliest("published").get_next_by_published(),
    "own from_db": lambda: model("Shelf").objects.get(),
    "union": lambda: model("Author").objects.union(model("Author").objects.filter(pk=0)).get(),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_row_read_from_a_replica_belongs_to_the_master(seen: list[tuple[str, str]], way: str) -> None:
    row = WAYS[way]()
    assert row._state.db == "library"
    assert places(seen) <= REPLICAS
    assert seen


async def test_so_does_one_of_an_asynchronous_query() -> None:
    assert (await model("Author").objects.aget())._state.db == "library"
    assert (await first_of(model("Author").objects.all()))._state.db == "library"
    assert (await first_of(model("Author").objects.raw(RAW)))._state.db == "library"


def test_so_does_a_row_that_is_refreshed(seen: list[tuple[str, str]]) -> None:
    author = model("Author").objects.using("library-1").get()
    assert author._state.db == "library-1"
    author.refresh_from_db()
    assert author._state.db == "library"
    assert places(seen) <= REPLICAS


def test_rows_of_an_alias_that_the_user_named_keep_it(seen: list[tuple[str, str]]) -> None:
    for alias in ("library-1", pindb.get_replica("library"), "library"):
        author = model("Author").objects.using(alias).get()
        assert author._state.db == alias
        assert author.labels.db_manager(alias).get()._state.db == alias
        book = model("Book").objects.using(alias).earliest("published")
        assert book.get_next_by_published()._state.db == alias


def test_only_the_columns_that_were_read_are_saved(seen: list[tuple[str, str]]) -> None:
    author = model("Author").objects.only("name").get()
    elsewhere(lambda: model("Author").objects.update(books_sold=100))
    seen.clear()
    author.name = "Ada L."
    author.save()
    ((_, sql),) = [statement for statement in seen if statement[1] not in ("BEGIN", "COMMIT")]
    assert "books_sold" not in sql
    assert model("Author").objects.values_list("name", "books_sold").get() == ("Ada L.", 100)


def test_a_new_row_is_added_to_the_relations_of_one_from_a_replica() -> None:
    author = model("Author").objects.get()
    book = model("Book").objects.create(title="Letters", published=datetime.date(2024, 2, 1))
    author.books.add(book)
    label = model("Label").objects.create(text="new", target=book)
    author.labels.add(label)
    assert author.books.count() == 3
    assert author.labels.count() == 2


def test_a_row_from_a_replica_is_added_to_a_relation() -> None:
    book = model("Book").objects.first()
    author = model("Author").objects.create(name="Grace")
    author.books.add(book)
    book.readers.set([author])
    assert author.books.get() == book
    assert book.readers.get() == author


@pytest.mark.parametrize("pinned", [False, True])
def test_writes_through_a_generic_relation_go_to_the_master_and_pin(seen: list[tuple[str, str]], pinned: bool) -> None:
    author = model("Author").objects.get()
    labels = author.labels.all()
    if pinned:
        pindb.pin("library")
    seen.clear()
    assert labels.update(text="changed") == 1
    assert pindb.get_newly_pinned() == {"library"}
    assert labels.get().text == "changed"
    assert author.labels.filter(text="changed").delete()[0] == 1
    assert not labels.exists()
    assert places(seen) == {"library"}


def test_the_strict_router_refuses_a_write_through_a_generic_relation_that_nothing_announced() -> None:
    with override_settings(DATABASE_ROUTERS=["pindb.StrictPinDbRouter"]):
        labels = model("Author").objects.get().labels.all()
        with pytest.raises(pindb.UnpinnedWriteException):
            labels.update(text="changed")


def test_a_transaction_on_the_database_of_a_row_is_one_on_the_master(seen: list[tuple[str, str]]) -> None:
    author = model("Author").objects.get()
    seen.clear()
    with transaction.atomic(using=author._state.db):
        assert connections["library"].in_atomic_block
        assert model("Author").objects.select_for_update().get() == author
    assert places(seen) == {"library"}


def test_a_write_to_the_database_of_a_row_goes_to_the_master_and_pins() -> None:
    author = model("Author").objects.get()
    assert model("Author").objects.using(author._state.db).update(name="Grace") == 1
    assert pindb.get_newly_pinned() == {"library"}
    assert model("Author").objects.get().name == "Grace"


def test_own_writes_are_seen_through_what_was_read_before_them(stocked: Any) -> None:
    label = model("Label").objects.filter(content_type__model="book").first()
    book, last = model("Book").objects.order_by("published")
    author = model("Author").objects.get()
    labels, books, raw = author.labels.all(), author.books.all(), model("Author").objects.raw(RAW)
    stocked.hold()
    model("Author").objects.update(name="Grace")
    model("Book").objects.update(title="Changed")
    model("Label").objects.update(text="new")
    assert label.target.title == "Changed"
    assert book.get_next_by_published().title == "Changed"
    assert last.get_previous_by_published().title == "Changed"
    assert labels.get().text == "new"
    assert {book.title for book in books} == {"Changed"}
    assert raw[0].name == "Grace"
    prefetch_related_objects([book], "labels", "author")
    assert book.labels.all()[0].text == "new"
    assert book.author.name == "Grace"
    author.refresh_from_db()
    assert author.name == "Grace"


@pytest.mark.skipif(django.VERSION < (6, 1), reason="fetch modes came with Django 6.1")
def test_own_writes_are_seen_through_fetched_peers(stocked: Any, seen: list[tuple[str, str]]) -> None:
    from django.db.models import FETCH_PEERS

    books = list(model("Book").objects.fetch_mode(FETCH_PEERS))
    stocked.hold()
    model("Author").objects.update(name="Grace")
    seen.clear()
    assert {book.author.name for book in books} == {"Grace"}
    assert len(seen) == 1


def test_a_relation_of_a_row_from_a_replica_is_read_from_it(seen: list[tuple[str, str]]) -> None:
    label = model("Label").objects.filter(content_type__model="book").first()
    book = model("Book").objects.earliest("published")
    assert label.target
    assert book.get_next_by_published()
    assert book.labels.get()
    assert model("Author").objects.using(book._state.db).get()
    assert len(places(seen)) == 1
    assert places(seen) <= REPLICAS
    assert not pindb.get_pinned()


@pytest.mark.parametrize("pinned", [False, True])
def test_subqueries_of_rows_databases_run_in_queries_on_any_alias_of_the_db_set(pinned: bool) -> None:
    author = model("Author").objects.get()
    inner = [model("Author").objects.using(author._state.db), author.labels.all()]
    if pinned:
        pindb.pin("library")
    assert model("Book").objects.filter(author__in=inner[0]).count() == 2
    assert model("Label").objects.filter(pk__in=inner[1]).count() == 1
    other = model("Book").objects.using("default").filter(author__in=inner[0])
    with pytest.raises(ValueError, match="across different databases"):
        str(other.query.get_compiler("default").as_sql())


def test_a_transaction_on_a_replica_keeps_its_reads() -> None:
    labels = model("Author").objects.get().labels.all()
    replica = labels.db
    with transaction.atomic(using=labels.db):
        pindb.pin("library")
        assert labels.db == replica
        assert labels.select_for_update().db == "library"
    assert labels.db == "library"


def test_what_is_pickled_is_what_django_pickles() -> None:
    author = model("Author").objects.get()
    assert type(author._state.__dict__["db"]) is not str
    state = pickle.loads(pickle.dumps(author))._state.__dict__
    assert state["db"] == "library"
    assert type(state["db"]) is str
    query = pickle.loads(pickle.dumps(author.labels.values_list("text")._db))
    assert type(query) is str


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_as_good_as_the_original(copied: Callable[[Any], Any]) -> None:
    author = copied(model("Author").objects.get())
    labels = copied(author.labels.all())
    assert labels.update(text="changed") == 1
    assert author.labels.get().text == "changed"
    assert model("Author").objects.using(author._state.db).update(name="Grace") == 1
    assert pindb.get_newly_pinned() == {"library"}


def test_a_connection_has_a_plain_alias(library: Any) -> None:
    for name in ("library-1", "library-2", "library"):
        if hasattr(connections._connections, name):  # type: ignore[attr-defined]
            connections[name].close()
            del connections[name]
    author = model("Author").objects.get()
    replica = model("Author").objects.all().db
    for alias in (replica, author._state.db):
        assert type(alias) is not str
        assert connections[alias] is connections[str(alias)]
        assert type(connections[alias].alias) is str


@pytest.mark.parametrize("repeated", [True, False])
def test_without_the_setting_all_is_as_django_has_it(repeated: bool) -> None:
    settings = override_settings(PINDB_ROWS_BELONG_TO_MASTER=False, PINDB_RETRY_ON_MASTER=repeated)
    with settings, pindb.pinning_context():
        book = model("Book").objects.first()
        assert book._state.db in REPLICAS
        assert type(book._state.db) is str
        replica = model("Author").objects.all().db
        assert (type(replica) is str) is not repeated
        author = model("Author").objects.create(name="Grace")
        with pytest.raises(ValueError, match="Use bulk=False"):
            author.books.add(book)
        assert model("Author").objects.all().db == "library"
        assert model("Author").objects.using(replica).db == replica


def test_content_types_are_cached_once(seen: list[tuple[str, str]]) -> None:
    author = model("Author").objects.get()
    apps.get_model("contenttypes", "ContentType").objects.clear_cache()
    seen.clear()
    for _ in range(3):
        assert author.labels.get()
    assert sum("django_content_type" in sql.partition("WHERE")[0] for _, sql in seen) <= 2
