"""Where adapters find it: `pindb.catching_up.CaughtUp`, the base of their `@caught_up` decorators."""

from pindb.adapters.wait_for_replica import SINCE, CaughtUp, Requeue

__all__ = ["SINCE", "CaughtUp", "Requeue"]
