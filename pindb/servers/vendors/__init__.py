"""Everything that pindb says to database servers, one page a vendor. No other module contains SQL of pindb's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pindb.servers.vendors.base import LogVendor, Vendor
from pindb.servers.vendors.mariadb import MariaDB
from pindb.servers.vendors.mysql import MySQL
from pindb.servers.vendors.postgresql import INSUFFICIENT_PRIVILEGE, PostgreSQL, sqlstate

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

FILES: Final = frozenset({"sqlite"})
"""Django's names of vendors without a server: they cannot be asked, and have no lag."""

PROBED: Final[dict[str, Vendor]] = {"postgresql": PostgreSQL(), "mysql": MySQL()}
"""Vendors whose lag can be told, by Django's name, which is the same for MySQL and MariaDB."""

TELLS_LAG: Final = FILES | PROBED.keys()


def vendor_of_driver(name: str, raw: Any) -> Vendor | None:
    """Return the vendor at the other end of a driver's connection; None where pindb knows no question to ask.

    `name` is Django's. Both drivers for MySQL keep what the server said of itself when they connected.
    """
    if name == "mysql" and "mariadb" in str(raw.get_server_info()).lower():
        return MariaDB()
    return PROBED.get(name)


def log_vendor_of(connection: BaseDatabaseWrapper) -> LogVendor | None:
    """Return the vendor of Django's `connection`; None where it tells no log positions.

    MySQL and MariaDB share an engine, and only the server knows which one it is: Django connects to find out.
    """
    if connection.vendor == "postgresql":
        return PostgreSQL()
    if connection.vendor == "mysql":
        return MariaDB() if connection.mysql_is_mariadb else MySQL()  # type: ignore[attr-defined]
    return None


def lacks_privilege(error: BaseException) -> bool:
    """Return whether a question failed because the role may not ask it; `error` is Django's or the driver's.

    False on MySQL and MariaDB, where the questions that a role may not ask are those for the lag.
    """
    return sqlstate(error.__cause__ or error) == INSUFFICIENT_PRIVILEGE


def address_of(connection: BaseDatabaseWrapper) -> str | None:
    """Return the address that Django's open `connection` was opened to; None where unknown. Asks nothing."""
    return PostgreSQL().connected_address(connection) if connection.vendor == "postgresql" else None
