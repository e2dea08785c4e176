"""The caches that settings name: what the checks say of a backend that cannot be used."""

from __future__ import annotations

import pytest
from django.test import override_settings

from pindb import checks

CACHES = {"default": {"BACKEND": "django.core.cache.backends.rediss.RedisCache"}}


@pytest.mark.parametrize(
    ("setting", "id_"), [("PINDB_SWITCH", "E005"), ("PINDB_REPORT", "E007"), ("PINDB_USER_PINS", "E006")]
)
def test_a_backend_that_cannot_be_imported_is_told_with_its_cache(setting: str, id_: str) -> None:
    with override_settings(CACHES=CACHES, **{setting: "cache:default"}):
        (error,) = [each for check in checks.ALL for each in check() if (each.id or "").startswith("pindb.E")]
    assert error.id == f"pindb.{id_}"
    assert error.msg.startswith(
        f"{setting} names the cache 'default', whose BACKEND 'django.core.cache.backends.rediss.RedisCache' cannot be "
        "used: InvalidCacheBackendError: "
    )
    assert "Write the path of a cache backend" in str(error.hint)
