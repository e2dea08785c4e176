"""Which tables are treated apart, as the models and the settings say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db.models import ManyToManyField, Model
from django.test import override_settings
from django.test.utils import isolate_apps

import pindb
from pindb.config import tables
from pindb.config.database_sets import forget_config
from tests.shop.models import Customer, Order
from tests.unit.routing.test_rules import greedy


@pytest.fixture(autouse=True)
def apart() -> Iterator[None]:
    """Customers have pins of their own."""
    with override_settings(PINDB_SEPARATE_PINS=["shop.Customer"]):
        yield


@pytest.fixture
def before_the_models(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """As if Django were importing a module of models."""
    forget_config()
    with monkeypatch.context() as patch:
        patch.setattr(apps, "models_ready", False)
        yield patch


def test_a_config_that_was_read_before_the_models_is_read_again(before_the_models: pytest.MonkeyPatch) -> None:
    with pindb.master("default"):
        assert not pindb.is_pinned("default")
    before_the_models.undo()
    pindb.pin("default.shop")
    assert greedy.db_for_read(Customer) == "default" != greedy.db_for_read(Order)


def test_a_decorator_of_a_part_may_be_made_before_the_models(before_the_models: pytest.MonkeyPatch) -> None:
    decorator = pindb.master("default.shop")
    with pytest.raises(pindb.PinDbConfigError):
        pindb.master("defualt")
    before_the_models.undo()
    with decorator:
        assert greedy.db_for_read(Customer) == "default" != greedy.db_for_read(Order)


def test_a_link_to_a_model_that_is_not_installed_is_left_to_djangos_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    with isolate_apps("tests.shop", attr_name="isolated") as isolated:

        class Lost(Model):
            """Its app has links to an app that is gone."""

            links = ManyToManyField("gone.Model", through="gone.Link")
            also = ManyToManyField("gone.Model")

            class Meta:
                app_label = "shop"

        monkeypatch.setattr(tables, "apps", isolated)
        assert tables.treated_apart(["shop.Lost"], []).labels == {"shop_lost": "shop", "shop_lost_also": "shop"}
