"""pindb: read your own writes with Django's replicas, across requests and tasks.

Importing this package reads no settings and loads no models, so a settings module can.
"""

from pindb import adapters, catching_up, propagation
from pindb.api.context_managers import master, pinned, pinning_context, unpinned_replica, with_masters, with_replicas
from pindb.api.explain import explain
from pindb.api.functions import get_newly_pinned, get_pinned, get_replica, is_pinned, pin, unpin_all
from pindb.config.populate import populate_replicas
from pindb.config.tables import MASTER_ONLY, SEPARATE_PINS
from pindb.exceptions import PinDbConfigError, PinDbException, UnpinnedWriteException
from pindb.propagation.tokens import observe, token
from pindb.routing.decision import Decision, Reason
from pindb.routing.routers import GreedyPinDbRouter, StrictPinDbRouter

__all__ = [
    "MASTER_ONLY",
    "SEPARATE_PINS",
    "Decision",
    "GreedyPinDbRouter",
    "PinDbConfigError",
    "PinDbException",
    "Reason",
    "StrictPinDbRouter",
    "UnpinnedWriteException",
    "adapters",
    "catching_up",
    "explain",
    "get_newly_pinned",
    "get_pinned",
    "get_replica",
    "is_pinned",
    "master",
    "observe",
    "pin",
    "pinned",
    "pinning_context",
    "populate_replicas",
    "propagation",
    "token",
    "unpin_all",
    "unpinned_replica",
    "with_masters",
    "with_replicas",
]
