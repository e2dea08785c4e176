"""What a unit of work has run where, and the positions it has taken."""

from __future__ import annotations

from django.db import connections

from pindb.core.activity import Activity


def test_a_trail_that_was_cleared_knows_as_little_as_a_new_one() -> None:
    activity = Activity()
    assert activity.cached_position("goods") == (False, None)
    activity.cache_position("goods", activity.last_change("goods"), {"log": 1})
    activity.add_connection("goods", connections["default"])
    assert activity.cached_position("goods") == (True, {"log": 1})
    activity.clear()
    assert activity.cached_position("goods") == (False, None)
    assert not activity.has_connections("goods")


def test_what_has_run_inside_may_have_been_on_a_connection_that_was_closed() -> None:
    """The next connection may lead to another server, so its position says nothing about what was read before."""
    connection = connections["default"]
    inside, around = Activity(), Activity()
    for activity in (inside, around):
        activity.add_connection("goods-1", connection)
        assert activity.is_over_one_connection("goods-1", connection)
    inside.note_closed("goods-1", connection)
    around.absorb(inside)
    assert not around.is_over_one_connection("goods-1", connection)
