"""A database cache of the site's own."""

from __future__ import annotations

from django.core.cache.backends.db import DatabaseCache


class OwnCache(DatabaseCache):
    """As sites write it to count hits, or to compress."""
