"""Which tables are treated apart: what the settings say, what processes with other settings have written."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import override_settings

import pindb
from pindb import propagation
from pindb.config import tables
from pindb.config.database_sets import current_config
from tests.carriers import carrying
from tests.shop.models import Customer, Invoice, Order
from tests.unit.routing.apart import PART, add_customer, published, reads_master
from tests.unit.routing.test_rules import greedy

pytestmark = pytest.mark.usefixtures("shop_tables", "order", "apart")


def test_a_model_named_by_a_setting_counts_more_than_its_app() -> None:
    with override_settings(PINDB_SEPARATE_PINS=["shop.Customer"], PINDB_MASTER_ONLY=["shop"]):
        assert reads_master(Order)
        assert not reads_master(Customer)
    with override_settings(PINDB_SEPARATE_PINS=["shop"], PINDB_MASTER_ONLY=["shop"]):
        assert reads_master(Customer), "named alike by both: the master"


def test_disabled_everything_is_on_the_master_and_nothing_is_pinned() -> None:
    with override_settings(PINDB_ENABLED=False):
        assert reads_master(Customer)
        assert reads_master(Order)
        add_customer()
        assert greedy.db_for_write(Customer) == greedy.db_for_write(Invoice) == "default"
    assert not reads_master(Customer)


def test_without_special_tables_the_router_looks_for_none() -> None:
    with override_settings(PINDB_SEPARATE_PINS=[], PINDB_MASTER_ONLY=[], PINDB_DELEGATE_ROUTERS=[]):
        assert current_config().keys == {}
        add_customer()
        assert reads_master(Order)


def test_a_pin_of_a_part_that_is_none_here_pins_its_db_set() -> None:
    """The process that wrote it has other settings. An app that is not installed here has no table to read."""
    with override_settings(PINDB_SEPARATE_PINS=[]), propagation.open_message(carrying(**{PART: 10})):
        assert reads_master(Customer)
        assert reads_master(Order)
    with propagation.open_message(carrying(**{"default.silk": 10})):
        assert not reads_master(Order)
        assert published() == {"default.silk"}, "it is handed on"


@pytest.mark.parametrize("carried", ["new", "given"])
def test_a_result_of_a_part_that_is_none_here_pins_its_db_set(carried: str) -> None:
    """A worker with other settings has written it."""
    texts = {"new": propagation.NOTHING_PINNED, "given": propagation.NOTHING_PINNED}
    with override_settings(PINDB_SEPARATE_PINS=[]):
        propagation.take(texts | {carried: carrying(**{PART: 10})})
        assert reads_master(Customer)


def test_a_default_label_means_its_package_and_no_app_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"sessions", "django_tasks_database", "procrastinate"} == set(tables.PACKAGES)
    monkeypatch.setattr(tables, "SEPARATE_PINS", ("shop",))
    with override_settings(PINDB_SEPARATE_PINS=["shop"]):
        add_customer()
        assert reads_master(Order), "the app is tests.shop"
    monkeypatch.setitem(tables.PACKAGES, "shop", "tests.shop")
    pindb.unpin_all()
    with override_settings(PINDB_SEPARATE_PINS=["shop"], PINDB_MASTER_ONLY=[]):
        Customer.objects.create(name="Cid")
        assert published() == {"default.shop"}


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_an_alias_that_a_part_is_named_as_is_refused() -> None:
    databases = {**settings.DATABASES, PART: settings.DATABASES["legacy"]}
    with (
        override_settings(DATABASES=databases),
        pytest.raises(pindb.PinDbConfigError, match=r"alias 'default\.shop' is"),
    ):
        current_config()
