"""A test with the fixtures of pindb and of pytest-django."""

from django.test import Client

from pindb.testing import Lag, RecordedDecisions

from .common import *

pindb_lag: Lag
pindb_decisions: RecordedDecisions
