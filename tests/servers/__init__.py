"""Real servers for the tests and the demo: what other code imports from here.

    with PostgresCluster(standbys=2) as cluster, Valkey() as valkey:
        cluster.create_database("shop")
        DATABASES = {
            "default": cluster.master.settings("shop"),
            "standby": cluster.standbys[0].settings("shop"),
        }

PostgreSQL, and what starts and ends processes, is in ``pindb.testing.servers``: users have it too. Nothing these start
outlives the process that asked for it, however that process ends: see ``processes/keeper.py`` there.
"""

from pindb.testing.servers.cluster import PostgresCluster
from pindb.testing.servers.postgres import PostgresServer, Standby
from pindb.testing.servers.processes.kept import Kept, ProcessEndedError
from pindb.testing.servers.processes.ports import free_port
from pindb.testing.servers.processes.waiting import wait_until

from .rabbitmq import RabbitMQ
from .valkey import DurableValkey, Valkey

__all__ = [
    "DurableValkey",
    "Kept",
    "PostgresCluster",
    "PostgresServer",
    "ProcessEndedError",
    "RabbitMQ",
    "Standby",
    "Valkey",
    "free_port",
    "wait_until",
]
