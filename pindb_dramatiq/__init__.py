"""Dramatiq's side of pindb: actors read their caller's writes, once `pindb_dramatiq.install(broker)` was called.

The import registers the system checks (see `checks.py`); `INSTALLED_APPS += ["pindb_dramatiq"]` does nothing else.
"""

from pindb_dramatiq import checks as _checks
from pindb_dramatiq.decorators import caught_up, pinned, unpinned
from pindb_dramatiq.install import install, uninstall
from pindb_dramatiq.middleware import PinDbMiddleware

__all__ = ["PinDbMiddleware", "caught_up", "install", "pinned", "uninstall", "unpinned"]

_checks.register_checks()
