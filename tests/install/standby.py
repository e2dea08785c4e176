"""The example with a real standby in docs/testing.md: a fresh project runs its tests on PostgreSQL from the wheel.

`python standby.py [ENGINE]`; the project's own settings name servers that do not exist.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"

SETTINGS = """
import pindb

MASTER_DATABASES = {{"default": {{"ENGINE": "django.db.backends.{engine}", "NAME": "shop", "HOST": "master.invalid"}}}}
DATABASE_SETS = {{"default": [{{"HOST": "replica.invalid"}}]}}
DATABASES = pindb.populate_replicas(MASTER_DATABASES, DATABASE_SETS)
DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"]
INSTALLED_APPS = ["pindb", "shop"]
MIDDLEWARE = ["pindb.middleware.PinDbMiddleware"]
ROOT_URLCONF = "shop.views"
SECRET_KEY = "only for this project"
ALLOWED_HOSTS = ["testserver"]
TEST_RUNNER = "runner.StandbyRunner"
"""

MODELS = """
from django.db import models


class Order(models.Model):
    total = models.DecimalField(max_digits=9, decimal_places=2)
"""

VIEWS = """
from django.http import JsonResponse
from django.urls import path
from shop.models import Order


def orders(request):
    if request.method == "POST":
        Order.objects.create(total=request.POST["total"])
    return JsonResponse({"orders": Order.objects.count()})


urlpatterns = [path("orders/", orders)]
"""

MORE_TESTS = """


standbys = pytest.mark.django_db(transaction=True, databases="__all__")


def orders():
    return Client().get("/orders/").json()["orders"]


def order():
    assert Client().post("/orders/", {"total": "7.50"}).status_code == 200


@standbys
def test_a_test_may_leave_the_standby_behind(pindb_servers):
    order()
    pindb_servers.catch_up()
    pindb_servers.pause()
    assert orders() == 1


@standbys
def test_the_standby_has_caught_up_when_a_test_begins(pindb_standby):
    assert orders() == 0
    pindb_standby.set_delay(600)
    order()
    assert orders() == 0
    pindb_standby.catch_up()
    assert orders() == 1
    order()
    assert orders() == 1
    pindb_standby.catch_up()
    pindb_standby.pause()


@standbys
def test_neither_delay_nor_pause_is_left_over(pindb_servers):
    order()
    pindb_servers._cluster.wait_until_replayed()
    assert orders() == 1
"""

UNITTEST = """
from django.test import Client, TransactionTestCase

from runner import StandbyRunner


class OrderTests(TransactionTestCase):
    databases = "__all__"

    def test_the_buyer_sees_the_order_at_once(self):
        StandbyRunner.standby.pause()
        self.client.post("/orders/", {"total": "7.50"})
        self.assertEqual(self.client.get("/orders/").json(), {"orders": 1})
        self.assertEqual(Client().get("/orders/").json(), {"orders": 0})
        StandbyRunner.standby.catch_up()
"""


def example(name: str) -> str:
    """Return the block of the page that begins with this comment."""
    (block,) = re.findall(rf"^```python\n# ({re.escape(name)}\b.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return f"# {block}"


def make(project: Path, engine: str = "postgresql") -> None:
    """Write the project."""
    (project / "shop").mkdir()
    files = {"settings.py": SETTINGS.format(engine=engine), "shop/models.py": MODELS, "shop/views.py": VIEWS}
    examples = {name: example(name) for name in ("conftest.py", "test_orders.py", "runner.py")}
    examples["test_orders.py"] += MORE_TESTS
    for name, text in {**files, **examples, "tests.py": UNITTEST, "shop/__init__.py": ""}.items():
        (project / name).write_text(text)


def run(project: Path, *command: str) -> str:
    """Return what a Python in the project prints."""
    command = (sys.executable, "-m", *command)
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


def main(engine: str = "postgresql") -> None:
    with tempfile.TemporaryDirectory() as directory:
        project = Path(directory)
        make(project, engine)
        told = run(project, "pytest", "-q", "-p", "no:cacheprovider", "--ds=settings")
        assert "4 passed" in told, told
        told = run(project, "django", "test", "--settings=settings", "--pythonpath=.", "tests")
        assert "Ran 1 test" in told, told
        assert told.rstrip().endswith("OK") or "\nOK\n" in told, told
    print("a real standby lags as long as a test wants, under pytest-django and unittest")


if __name__ == "__main__":
    main(*sys.argv[1:])
