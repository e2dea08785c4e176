"""What a unit of work has run where, and the positions it has taken."""

from __future__ import annotations

from django.db import connections

from pindb.core.activity import Trail


def test_a_trail_that_was_cleared_knows_as_little_as_a_new_one() -> None:
    trail = Trail()
    assert trail.kept("goods") == (False, None)
    trail.keep("goods", trail.last_event("goods"), {"log": 1})
    trail.use("goods", connections["default"])
    assert trail.kept("goods") == (True, {"log": 1})
    trail.clear()
    assert trail.kept("goods") == (False, None)
    assert not trail.uses("goods")
