"""What can happen besides in a history whose site has a second DB set, "audit"."""

from __future__ import annotations

from typing import Final

from tests.model.connections import AUDIT
from tests.model.steps import Read, Write
from tests.simulation.events import Event, busy
from tests.simulation.site import Site, Thread


def reads_the_audit(site: Site, thread: Thread, which: int) -> None:
    site.take(thread, Read(AUDIT), which)


def writes_to_the_audit(site: Site, thread: Thread, which: int) -> None:
    site.take(thread, Write(site.new_name("entry"), AUDIT))


def the_replica_of_the_audit_replays(site: Site, _: Site, which: int) -> None:
    if (after := site.world.audit.replay(1)) is not None:
        site.servers_are(site.world.servers, "Replica audit-1 replays a step of the log", audit=after)


AUDIT_EVENTS: Final = (
    *(Event(reads_the_audit, busy),) * 4,
    *(Event(writes_to_the_audit, busy),) * 2,
    *(Event(the_replica_of_the_audit_replays, lambda site: (site,)),) * 3,
)
