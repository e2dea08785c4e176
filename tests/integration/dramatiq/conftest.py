"""The sites of the unit tests, for tests with worker processes."""

from tests.unit.pindb_dramatiq.conftest import any_site, memcached, site, valkey

__all__ = ["any_site", "memcached", "site", "valkey"]
