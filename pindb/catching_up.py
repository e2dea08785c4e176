"""Where adapters find it: `pindb.catching_up.CaughtUp`, the base of their `@caught_up` decorators."""

from pindb.adapters.wait_for_replica import SINCE, CaughtUp, PutBack

__all__ = ["SINCE", "CaughtUp", "PutBack"]
