"""Help for the tests of projects with pindb: lagging replicas without a second server, and assertions on routing."""

from pindb.testing.decisions import RecordedDecisions
from pindb.testing.lag import Lag, StaleReadError
from pindb.testing.unittest import LagMixin

__all__ = ["Lag", "LagMixin", "RecordedDecisions", "StaleReadError"]
