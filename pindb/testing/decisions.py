"""`RecordedDecisions`: assertions on where reads went."""

from __future__ import annotations

from pindb.api.explain import Decisions


class RecordedDecisions(Decisions):
    """The decisions of a test so far, in their order; as text they are a table.

        def test_the_order_page_reads_a_replica(client, pindb_decisions):
            client.get("/orders/7/")
            pindb_decisions.assert_reads_replica("default")

    The pytest fixture `pindb_decisions` makes one for each test.
    """

    def assert_reads_master(self, db_set: str) -> None:
        """Raise `AssertionError` unless there were reads of the DB set, and all used its master."""
        self._assert_all(db_set, "master")

    def assert_reads_replica(self, db_set: str) -> None:
        """Raise `AssertionError` unless there were reads of the DB set, and all used replicas."""
        self._assert_all(db_set, "replica")

    def _assert_all(self, db_set: str, role: str) -> None:
        roles = [decision.role for decision in self if decision.db_set == db_set]
        if not roles:
            raise AssertionError(f"Nothing was read of the DB set {db_set!r}.\n\n{self}")
        others = len(roles) - roles.count(role)
        if others:
            raise AssertionError(f"{others} of {len(roles)} reads of {db_set!r} did not use a {role}.\n\n{self}")
