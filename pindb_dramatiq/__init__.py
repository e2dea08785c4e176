"""Dramatiq's side of pindb: actors read what their caller wrote, once `pindb_dramatiq.install(broker)` was called.

Importing it registers its system checks (see `checks.py`); `INSTALLED_APPS += ["pindb_dramatiq"]` does no more.
"""

from pindb_dramatiq import checks as _checks
from pindb_dramatiq.catching_up import caught_up
from pindb_dramatiq.decorators import pinned, unpinned
from pindb_dramatiq.install import install, uninstall
from pindb_dramatiq.middleware import PinDbMiddleware

__all__ = ["PinDbMiddleware", "caught_up", "install", "pinned", "uninstall", "unpinned"]

_checks.register_checks()
