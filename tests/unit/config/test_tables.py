"""Which tables are treated apart, as the models and the settings say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db.models import CASCADE, ForeignKey, ManyToManyField, Model
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


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Models of one app: a parent and its child, and a model that links the parent, many to many."""
    with isolate_apps("tests.shop", attr_name="isolated") as isolated:

        class Parent(Model):
            class Meta:
                app_label = "shop"

        class Child(Parent):
            class Meta:
                app_label = "shop"

        class Linking(Model):
            links = ManyToManyField(Parent, through="Link")

            class Meta:
                app_label = "shop"

        class Link(Model):
            linking = ForeignKey(Linking, CASCADE)
            parent = ForeignKey(Parent, CASCADE)

            class Meta:
                app_label = "shop"

        monkeypatch.setattr(tables, "apps", isolated)
        yield


@pytest.mark.usefixtures("family")
def test_a_child_has_the_pins_of_its_parent_because_a_write_to_it_writes_both() -> None:
    assert tables.treated_apart(["shop.Child"], []).labels == {}
    both = {"shop_parent": "shop", "shop_child": "shop"}
    assert tables.treated_apart(["shop.Parent", "shop.Child"], []).labels == both


@pytest.mark.usefixtures("family")
def test_a_child_that_is_read_on_the_master_only_needs_no_parent_that_is() -> None:
    assert tables.treated_apart([], ["shop.Child"]).labels == {"shop_child": tables.ON_MASTER}


@pytest.mark.usefixtures("family")
def test_a_parent_and_a_link_are_read_with_models_that_have_other_pins() -> None:
    assert tables.treated_apart(["shop.Parent"], []).read_with == {
        "shop_parent": {tables.REST},  # of its child
        "shop_link": {"shop"},  # it links rows of the parent
    }
    assert tables.treated_apart(["shop.Linking"], []).read_with == {"shop_link": {"shop"}}
    assert tables.treated_apart(["shop.Link"], []).read_with == {"shop_link": {tables.REST}}


@pytest.mark.usefixtures("family")
def test_where_nothing_is_treated_apart_nothing_is_read_together() -> None:
    assert tables.treated_apart([], []) == ({}, {})
