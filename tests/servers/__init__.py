"""Real servers for the tests and the demo: what other code imports from here.

    with PostgresCluster(standbys=2) as cluster, Valkey() as valkey:
        cluster.create_database("shop")
        DATABASES = {
            "default": cluster.master.settings("shop"),
            "standby": cluster.standbys[0].settings("shop"),
        }

Nothing these start outlives the process that asked for it, however that process ends: see ``keeper.py``.
"""

from .cluster import PostgresCluster
from .kept import Kept, ProcessEndedError
from .ports import free_port
from .postgres import PostgresServer, Standby
from .valkey import DurableValkey, Valkey
from .waiting import wait_until

__all__ = [
    "DurableValkey",
    "Kept",
    "PostgresCluster",
    "PostgresServer",
    "ProcessEndedError",
    "Standby",
    "Valkey",
    "free_port",
    "wait_until",
]
