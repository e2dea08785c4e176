"""The kit for adapters: all that carries pins through a task queue (the public names of this package).

An adapter has three jobs. As a message is published, it writes `outgoing()` into it under `KEY`. As a worker starts a
message, it enters `open_message(pins_in(headers))`, or `open_eager()` where the publisher runs the task itself. However
the task ends, it closes that `Work`. docs/adapters.md has an example that runs.

    message["headers"][KEY] = outgoing()

    with open_safely(open_message, pins_in(message["headers"]), "the task's name"):
        run(message)

None of these functions fails for pindb's sake. The names here change only with `VERSION`, and are deprecated for a
minor version of pindb first; everything else in `pindb` that an adapter could import may change at any time.
`pindb.propagation` and `pindb.catching_up` offer a part of these names, and go on doing so.
"""

from typing import Final

from pindb.adapters.base import NO_HEADER, NULL_HEADER, open_safely, pins_in, process_ends
from pindb.adapters.patching import Patch, is_wrapped, unwrap, wrap
from pindb.adapters.probing import PROBE, probed
from pindb.adapters.rows import outgoing_in_row
from pindb.adapters.wait_for_replica import SINCE, CaughtUp, Requeue
from pindb.propagation import (
    KEY,
    NOTHING_PINNED,
    EagerWork,
    MessageWork,
    PublishGuard,
    Work,
    discard_leftovers,
    everything,
    interrupted_by,
    open_eager,
    open_lost,
    open_message,
    open_repeated,
    outcome,
    outgoing,
    pinned_names,
    take,
)

VERSION: Final = 1
"""The version of this kit. It grows when a name goes or means something else, not when one is added."""

__all__ = [
    "KEY",
    "NOTHING_PINNED",
    "NO_HEADER",
    "NULL_HEADER",
    "PROBE",
    "SINCE",
    "VERSION",
    "CaughtUp",
    "EagerWork",
    "MessageWork",
    "Patch",
    "PublishGuard",
    "Requeue",
    "Work",
    "discard_leftovers",
    "everything",
    "interrupted_by",
    "is_wrapped",
    "open_eager",
    "open_lost",
    "open_message",
    "open_repeated",
    "open_safely",
    "outcome",
    "outgoing",
    "outgoing_in_row",
    "pinned_names",
    "pins_in",
    "probed",
    "process_ends",
    "take",
    "unwrap",
    "wrap",
]
