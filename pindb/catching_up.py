"""A part of the kit for adapters (`pindb.adapters`): the base of their `@caught_up` decorators."""

from pindb.adapters import SINCE, CaughtUp, Requeue

__all__ = ["SINCE", "CaughtUp", "Requeue"]
