"""The kit that adapters for task queues are built on, beside `pindb.propagation` (the public names of this package)."""

from pindb.adapters.base import NO_HEADER, NULL_HEADER, open_safely, pins_in, process_ends
from pindb.adapters.patching import Patch, is_wrapped, unwrap, wrap

__all__ = [
    "NO_HEADER",
    "NULL_HEADER",
    "Patch",
    "is_wrapped",
    "open_safely",
    "pins_in",
    "process_ends",
    "unwrap",
    "wrap",
]
