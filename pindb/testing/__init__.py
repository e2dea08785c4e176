"""Help for the tests of projects with pindb: lagging replicas, assertions on routing, checks of histories."""

from pindb.testing.decisions import RecordedDecisions
from pindb.testing.history import Guarantee, Operation, Recorder, Violation, check_history, load_history, now
from pindb.testing.lag import Lag, LagMixin, StaleReadError

__all__ = [
    "Guarantee",
    "Lag",
    "LagMixin",
    "Operation",
    "RecordedDecisions",
    "Recorder",
    "StaleReadError",
    "Violation",
    "check_history",
    "load_history",
    "now",
]
