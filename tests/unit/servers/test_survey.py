"""What a survey says of servers that do not answer."""

from __future__ import annotations

from typing import NoReturn

import pytest

from pindb.servers import survey


class Down:
    """Django's connection to a MySQL server that is down: it has to connect to say which of two databases it is."""

    vendor = "mysql"

    @property
    def display_name(self) -> NoReturn:
        raise OSError("down")

    mysql_is_mariadb = display_name


def test_a_mysql_server_that_is_down_tells_no_position_and_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "connections", {"shop": Down()})
    assert survey.describe("shop", (), ask=True) == survey.Description(
        why_not="'shop' does not tell its position (OSError: down)", silent="shop"
    )
    assert survey.describe("shop", (), ask=False) == survey.Description("MySQL or MariaDB")
