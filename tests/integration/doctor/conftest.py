"""Only the queues that a test makes are loaded, as in the unit tests."""

from tests.unit.management.doctor.conftest import apps

__all__ = ["apps"]
