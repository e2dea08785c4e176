"""Real PostgreSQL servers for tests, a master and its standbys: `pip install "pindb[servers]"`.

Nothing that these start outlives the process that asked for it, however that process ends. They run on Linux and macOS.
"""

try:
    from pindb.testing.servers.with_standby import PostgreSQL, postgresql_for_django, postgresql_with_standby
except ModuleNotFoundError as error:
    if error.name != "psycopg":
        raise
    raise ModuleNotFoundError(
        'pindb.testing.servers needs psycopg, which is not installed. Type: pip install "pindb[servers]"',
        name="psycopg",
    ) from error

__all__ = ["PostgreSQL", "postgresql_for_django", "postgresql_with_standby"]
