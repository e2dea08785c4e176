"""What pindb asks of a database server: one class a vendor implements it, on one page each.

Two protocols, because a server may tell its lag and no log positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from pindb.core.pins import PinnedPosition, Position

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

QUERY_MARKER: Final = "/* pindb */"
"""The start of each query about positions.

They can be found in the server's log by it, and told from the user's queries.
"""


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of one server to a probe."""

    follows: bool = True
    """False for a server that is no replica (any more)."""
    lag: float | None = None
    """Seconds behind the master; None where the server cannot tell, and `why` then says why."""
    position: str | None = None
    """Its log position as the vendor prints it."""
    log_bytes: int | None = None
    """The same as a number of bytes, where the vendor counts bytes: two of them can be subtracted."""
    why: str = ""
    refused: bool = False
    """True where the server has answered the question for its lag with an error, which `why` tells."""


class Identity(NamedTuple):
    """Which server it is, and what it serves."""

    database: str
    cluster: str | None
    """What a master and its replicas share, and no other server has; None where the vendor has no such thing."""
    server: str
    """What no other running server has."""


class Privileges(NamedTuple):
    """What an administrator types so that a role may ask all questions; `{}` stands for the role, "" for nothing."""

    positions: str = ""
    lag: str = ""
    failover: str = ""
    """What a role needs so that replicas are read at once after a failover."""


class Vendor(Protocol):
    """Questions of probes and of `manage.py pindb_status`, over a driver's cursor.

    They raise what the driver raises.
    """

    @property
    def probe_options(self) -> Mapping[str, Any]:
        """Entries for the connection's OPTIONS, so that no probe waits for a machine that has vanished."""
        ...

    @property
    def privileges(self) -> Privileges:
        """What the questions need that not every role may ask."""
        ...

    def follows(self, cursor: Any) -> bool:
        """Return whether the server is a replica; True where only a privileged question would tell."""
        ...

    def replica_report(self, cursor: Any, max_lag: float | None) -> Report:
        """Return the lag and position of a replica. `max_lag`: from how many seconds on the lag is looked at twice."""
        ...

    def master_report(self, cursor: Any) -> Report:
        """Return the position of a master. `follows` is True if it is a replica after all."""
        ...

    def identity(self, cursor: Any) -> Identity:
        """Return which server it is, without a privilege."""
        ...

    def clock(self, cursor: Any) -> float:
        """Return the time by the clock of the server, in seconds of the epoch."""
        ...


class LogVendor(Vendor, Protocol):
    """A vendor that tells log positions, over Django's connection. Each method but the last is one round trip."""

    def written(self, connection: BaseDatabaseWrapper) -> Position:
        """Return the position of a master: not less than was committed when the question was asked.

        Empty where the server is no master, or keeps no log.
        """
        ...

    def replayed(self, connection: BaseDatabaseWrapper) -> ReplicaPosition:
        """Return the position that a query sees which begins after the answer; empty where the server is no replica."""
        ...

    def is_earlier(self, log: str, than: str) -> bool:
        """Return whether `log` may be one that ended in a failover, after which the same servers write `than`."""
        ...

    def translate(self, connection: BaseDatabaseWrapper, log: str) -> Translation:
        """Return what positions in `log` mean to a master that writes a later one. One round trip."""
        ...

    def wait(self, connection: BaseDatabaseWrapper, positions: Sequence[PinnedPosition], seconds: float) -> bool:
        """Have the replica answer when it has replayed `positions`, or after `seconds`; it must be asked afterwards.

        Returns False, at once, where the server has no means of waiting. One round trip.
        """
        ...

    def connected_address(self, connection: BaseDatabaseWrapper) -> str | None:
        """Return the address that an open connection was opened to, as in `ReplicaPosition.server`; None if unknown."""
        ...


class Translation(NamedTuple):
    """What is left of an earlier log in a master: its positions up to `limit` are all included in `position`."""

    position: Position
    """Empty where the log is none of this master's earlier ones."""
    limit: int


NO_POSITION: Final[Position] = MappingProxyType({})


class ReplicaPosition(NamedTuple):
    """How far a replica has replayed the logs of its master."""

    position: Position
    server: str | None = None
    """The name of the server, by its own account; on PostgreSQL its address. None where it does not tell."""
    direct: bool = True
    """False where a pooler answers in the server's name: it may lead the next statement to another server."""
    timeline_confirmed: bool = True
    """False where the log may be an old one: the server may have followed a failover and not know it yet."""
    floor: Position = NO_POSITION
    """What the server shows at least, also after it was killed and started again; empty where it does not tell."""
    handed_on: Position | None = None
    """The part of `position` that a reader of this server may wait for elsewhere; None for all of it."""


def has_passed(position: Position, positions: Iterable[PinnedPosition]) -> bool:
    """Return whether `position` has passed all `positions`. One of another log has not been passed."""
    return all(position.get(pinned.log, -1) >= pinned.offset for pinned in positions)
