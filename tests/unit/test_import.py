"""`import pindb` works inside a settings module, and without a task queue installed."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys

QUEUES = ("celery", "kombu", "dramatiq", "rq", "django_rq", "huey", "django_q", "django_tasks", "django_tasks_db")

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in QUEUES:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NotInstalled())
import pindb
from django.conf import settings
assert not settings.configured

@pindb.pinned("whatever")          # no settings yet: checked when it runs
def function(): ...
MASTER_DATABASES, DATABASE_SETS = {"default": {}}, {"default": [{}]}
pindb.populate_replicas(MASTER_DATABASES, DATABASE_SETS)
assert "django.db.models" not in sys.modules
import pindb.middleware
assert not settings.configured
print("fine")
"""


def test_import_reads_no_settings_loads_no_models_and_needs_no_task_queue() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("fine\n", "")
