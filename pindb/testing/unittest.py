"""`LagMixin`: the same for the test cases of unittest and Django."""

from __future__ import annotations

from typing import Any

from pindb.api.context_managers import pinning_context
from pindb.testing.lag import Lag


class LagMixin:
    """Gives a test case `self.pindb_lag`, and each test a unit of work of its own.

        class OrderTests(LagMixin, TestCase):
            def test_the_order_is_confirmed(self):
                self.pindb_lag.hold()
                self.client.post("/orders/", {"total": "7.50"})

    `self.pindb_lag` is a `Lag`. The mixin comes first among the bases.
    """

    pindb_lag: Lag

    def run(self, result: Any = None) -> Any:
        """Run the test with replicas that lag."""
        with pinning_context():
            return super().run(result)  # type: ignore[misc]

    def setUp(self) -> None:
        """Make the lag, which begins with `hold()`."""
        super().setUp()  # type: ignore[misc]
        self.pindb_lag = Lag().__enter__()
        self.addCleanup(self.pindb_lag.check)  # type: ignore[attr-defined]
        self.addCleanup(self.pindb_lag.__exit__)  # type: ignore[attr-defined]
