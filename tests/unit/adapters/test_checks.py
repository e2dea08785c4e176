"""System checks of task queues, each in a process of its own: what is loaded is what they look at."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
import pindb
from django.conf import settings

MASTERS = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "master"}}
SETS = {"default": [{"NAME": "replica"}]}
changed = {}
{{settings}}
settings.configure(**{
    "MASTER_DATABASES": MASTERS, "DATABASE_SETS": SETS, "DATABASES": pindb.populate_replicas(MASTERS, SETS),
    "DATABASE_ROUTERS": ["pindb.GreedyPinDbRouter"], "INSTALLED_APPS": ["pindb"],
    "MIDDLEWARE": ["pindb.middleware.PinDbMiddleware"], "ROOT_URLCONF": "__main__", "SECRET_KEY": "tests",
    **changed,
})
import django
django.setup()
urlpatterns = []
{{code}}
from django.core.checks import run_checks
print(json.dumps([[message.id, f"{message.msg} / {message.hint}"] for message in run_checks()]))
"""

CELERY = "from celery import Celery; app = Celery('shop')"
INSTALL = "import pindb_celery; pindb_celery.install(app)"
LATE = f"""
class Late(list):
    def __iter__(self):
        exec("{CELERY}; {INSTALL}", globals())
        return iter(())
"""
BROKER = "import dramatiq; from dramatiq.brokers.stub import StubBroker; dramatiq.set_broker(StubBroker())"


def found(code: str = "", settings: str = "") -> list[tuple[str, str]]:
    """Return (id, text) of what all checks say in a process that runs `code`."""
    program = PROGRAM.replace("{{settings}}", settings).replace("{{code}}", code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [(id_, text) for id_, text in json.loads(done.stdout)]


def test_a_project_without_a_queue_is_told_nothing_and_no_queue_is_loaded() -> None:
    loaded = (
        "import atexit; atexit.register(lambda: print(sys.modules.keys() & {'celery', 'dramatiq'}, file=sys.stderr))"
    )
    assert found(loaded) == []


def test_a_celery_app_without_pindb_is_named() -> None:
    ((id_, text),) = found(CELERY)
    assert id_ == "pindb.W023"
    assert "The Celery app 'shop' is in use without pindb" in text
    assert "Write pindb_celery.install(app) where the app is made" in text
    assert "ready() of an AppConfig" in text


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        (f"{CELERY}; {INSTALL}", "changed['CELERY_BROKER_URL'] = 'memory://'"),
        (CELERY, "changed['PINDB_ENABLED'] = False"),
        (CELERY, "SETS['default'] = []"),
        ("import celery; celery.current_app.main", ""),
    ],
)
def test_celery_with_pindb_or_not_in_use_is_told_nothing(code: str, settings: str) -> None:
    assert found(code, settings) == []


def test_views_are_loaded_before_it_is_judged() -> None:
    assert found(LATE + "urlpatterns = Late()", "changed['CELERY_BROKER_URL'] = 'memory://'") == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            "changed['CELERY_BROKER_URL'] = 'memory://'",
            "CELERY_BROKER_URL is in the settings, but Django starts without",
        ),
        (
            "changed['INSTALLED_APPS'] = ['pindb', 'django_celery_results']",
            "'django_celery_results' is in INSTALLED_APPS",
        ),
    ],
)
def test_a_celery_that_is_only_configured_is_asked_after(settings: str, says: str) -> None:
    ((id_, text),) = found("", settings + "; changed['DEFAULT_AUTO_FIELD'] = 'django.db.models.BigAutoField'")
    assert id_ == "pindb.I005"
    assert says in text
    assert "Import the app in the __init__.py of the project" in text


def test_a_dramatiq_broker_without_pindb_is_named() -> None:
    ((id_, text),) = found(BROKER)
    assert id_ == "pindb.W024"
    assert "The Dramatiq broker StubBroker is in use without pindb" in text
    assert "pindb_dramatiq.install(broker)" in text
    assert found(BROKER, "changed['PINDB_ENABLED'] = False") == []


def test_a_dramatiq_broker_is_told_once() -> None:
    assert [id_ for id_, _ in found(f"{BROKER}; import pindb_dramatiq")] == ["pindb_dramatiq.W001"]
    assert found(f"{BROKER}; import pindb_dramatiq; pindb_dramatiq.install(dramatiq.get_broker())") == []


def test_django_dramatiq_without_ours_is_told() -> None:
    pytest.importorskip("django_dramatiq")
    settings = (
        "changed['INSTALLED_APPS'] = ['django_dramatiq', 'pindb']; changed['DEFAULT_AUTO_FIELD'] = "
        "'django.db.models.BigAutoField'; changed['DRAMATIQ_BROKER'] = {'BROKER': 'dramatiq.brokers.stub.StubBroker', "
        "'OPTIONS': {}, 'MIDDLEWARE': [%s]}"
    )
    assert [id_ for id_, _ in found("", settings % "")] == ["pindb.W024"]
    assert found("", settings % "'pindb_dramatiq.PinDbMiddleware'") == []
