"""The fixture with a real standby in a project of a user: what it does, and what it says where it cannot work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.install import standby

pytestmark = pytest.mark.heavy

PYTEST = ("pytest", "-q", "-p", "no:cacheprovider", "--ds=settings")

IN_A_TRANSACTION = """
import pytest


@pytest.mark.django_db(databases="__all__")
def test_rows_would_reach_no_replica(pindb_standby):
    pass
"""

ON_THE_TEST_DATABASE = """
from shop.models import Order


def test_before(db):
    assert not Order.objects.exists()
"""


def test_a_project_on_sqlite_runs_its_tests_on_a_real_standby(tmp_path: Path) -> None:
    standby.make(tmp_path, engine="sqlite3")
    (tmp_path / "test_transaction.py").write_text(IN_A_TRANSACTION)
    told = standby.run(tmp_path, *PYTEST)
    assert "4 passed, 1 error" in told, told
    assert "The test runs in a transaction on 'default', so nothing that it writes reaches a replica." in told


def test_servers_that_start_after_the_test_databases_say_what_to_write_into_conftest(tmp_path: Path) -> None:
    standby.make(tmp_path, engine="sqlite3")
    (tmp_path / "conftest.py").unlink()
    (tmp_path / "test_before.py").write_text(ON_THE_TEST_DATABASE)
    told = standby.run(tmp_path, *PYTEST, "-k", "at_once or before")
    assert "The test database of 'default' was made before the servers were started." in told, told
    assert "def django_db_modify_db_settings(pindb_servers, django_db_modify_db_settings):" in told
    assert "1 passed, 3 deselected, 1 error" in told


def test_a_project_without_replicas_is_told_so(tmp_path: Path) -> None:
    standby.make(tmp_path)
    settings = tmp_path / "settings.py"
    settings.write_text(settings.read_text().replace('[{"HOST": "replica.invalid"}]', "[]"))
    told = standby.run(tmp_path, *PYTEST, "-k", "at_once")
    assert "DATABASE_SETS has no replica, so there is nothing to run. Add one to a DB set." in told, told


def test_without_psycopg_it_says_what_to_type(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import sys; sys.modules['psycopg'] = None\nimport pindb.testing.servers")
    told = standby.run(tmp_path, "program")
    assert 'pindb.testing.servers needs psycopg, which is not installed. Type: pip install "pindb[servers]"' in told
