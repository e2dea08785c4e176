"""Which tables are treated apart, as the models and the settings say."""

from __future__ import annotations

import pytest
from django.db.models import ManyToManyField, Model
from django.test.utils import isolate_apps

from pindb.config import tables


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
