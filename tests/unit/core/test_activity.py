"""What a unit of work has run where, and the positions it has taken."""

from __future__ import annotations

from django.db import connections

from pindb.core.activity import Activity


def test_a_trail_that_was_cleared_knows_as_little_as_a_new_one() -> None:
    activity = Activity()
    assert activity.kept("goods") == (False, None)
    activity.keep("goods", activity.last_event("goods"), {"log": 1})
    activity.use("goods", connections["default"])
    assert activity.kept("goods") == (True, {"log": 1})
    activity.clear()
    assert activity.kept("goods") == (False, None)
    assert not activity.uses("goods")
