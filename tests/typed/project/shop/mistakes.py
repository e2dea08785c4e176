"""Mistakes that both type checkers must find: each ignored error is there, or the comment is an error itself."""

from celery import Celery

import pindb
import pindb_celery
import pindb_dramatiq
from pindb.adapters import open_message
from pindb.testing import Lag, Operation
from shop import tasks

pindb.pin(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
pindb.pinned(b"default")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
pindb.get_replica()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
pindb.populate_replicas({"default": {}}, ["replica"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
print(pindb.Reason.PINED)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
pindb.pinning_contxt()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
pindb.observe(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
pindb_celery.install("shop")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
pindb_celery.caught_up("default", timeout="30")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
pindb_dramatiq.install(Celery())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Lag().hold(2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Operation(unit="request 7")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
tasks.receipt.delayed(7)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
tasks.remind(b"seven")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
tasks.report(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pindb.pinned("default")
def double(number: int) -> int:
    """Keep its signature under the decorator."""
    return 2 * number


double("two")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

with pindb.explain() as decisions:
    print(decisions[0].allias)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]

with open_message(None) as work:
    work.closed()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
