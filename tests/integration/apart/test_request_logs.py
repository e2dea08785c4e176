"""What packages write about each request, or about each change of a row, pins itself alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db.models.sql.compiler import SQLCompiler
from django.test import Client, override_settings

import pindb
from tests.integration.apart import settings as site
from tests.integration.apart.place import handed_on, places, reads_replica, statements
from tests.shop.models import Customer, Order

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def _silk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A site with Silk's middleware, which puts itself into Django's compiler at the first request."""
    monkeypatch.setattr(SQLCompiler, "execute_sql", SQLCompiler.execute_sql)
    first, *others = site.MIDDLEWARE
    with override_settings(MIDDLEWARE=[first, "silk.middleware.SilkyMiddleware", *others]):
        yield
    del SQLCompiler._execute_sql  # type: ignore[attr-defined]


@pytest.mark.usefixtures("_silk")
def test_silk_saves_each_request_and_each_visitor_still_reads_replicas() -> None:
    from silk.models import Request, SQLQuery

    client = Client()
    for count in (1, 2):
        with statements() as seen:
            page = client.get("/show").json()
        assert page["customers"] == 1
        assert page["pins"] == ["default.silk"]
        assert places(seen, "silk_request") == {"default"}
        assert places(seen, "shop_customer") == {"default-1"}
        with pindb.pinning_context(), pindb.master("default"):
            assert Request.objects.count() >= count
            assert SQLQuery.objects.filter(request__path="/show").count() >= count


@pytest.fixture
def _audited() -> Iterator[None]:
    """Customers and orders are audited: changes, and whoever looks."""
    from auditlog.registry import auditlog

    for model in (Customer, Order):
        auditlog.register(model)
    yield
    for model in (Customer, Order):
        auditlog.unregister(model)


@pytest.mark.usefixtures("_audited")
def test_a_change_that_auditlog_notes_pins_the_row_s_db_set_and_the_log() -> None:
    from auditlog.models import LogEntry

    pindb.pin("default", count_as_new=False)  # the strict router wants it
    cid = Customer.objects.create(name="Cid")
    assert handed_on() == {"default", "default.auditlog"}
    assert LogEntry.objects.get_for_object(cid).count() == 1
    cid.delete()


@pytest.mark.usefixtures("_audited")
def test_a_look_that_auditlog_notes_pins_the_log_alone() -> None:
    from auditlog.models import LogEntry
    from auditlog.signals import accessed

    ada = Customer.objects.get(name="Ada")
    accessed.send(Customer, instance=ada)
    assert handed_on() == {"default.auditlog"}
    assert LogEntry.objects.get_for_object(ada).latest("pk").action == LogEntry.Action.ACCESS
    assert reads_replica()
