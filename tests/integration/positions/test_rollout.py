"""Position mode while a mode keeps reads from replicas."""

from __future__ import annotations

from django.conf import settings
from django.test import override_settings

import pindb
from pindb import Reason

from .goods import Cluster, learn_health, pause, positions_in, read_from, received, resume, written


def test_without_replicas_shadow_mode_makes_timed_pins(goods: Cluster) -> None:
    with override_settings(PINDB_MODE="shadow"):
        assert positions_in(written("with replicas"))
        with override_settings(DATABASE_SETS={**settings.DATABASE_SETS, "goods": []}):
            assert not positions_in(written("without"))


def test_shadow_mode_tells_whether_a_replica_has_caught_up_and_reads_the_master(goods: Cluster) -> None:
    def reason() -> Reason:
        with received(message), pindb.explain() as decisions:
            assert read_from("behind") == ("goods", True)
        return decisions[0].reason

    with override_settings(PINDB_MODE="shadow"):
        learn_health()
        pause(goods)
        message = written("behind")
        assert reason() is Reason.WAITING_FOR_POSITION
        resume(goods)
        goods.wait_until_replayed()
        assert reason() is Reason.REPLICA
