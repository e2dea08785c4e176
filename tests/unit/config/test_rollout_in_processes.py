"""A process follows its switch, however it starts its threads and forks."""

from __future__ import annotations

import subprocess
import sys

import pytest

FORK_DURING_IMPORT = """
import os, sys
import django
django.setup()
from django.conf import settings
from pindb.config import database_sets, rollout

class SlowImport:
    def find_spec(self, name, path=None, target=None):
        if name == "slow_flags":
            from importlib.machinery import ModuleSpec
            return ModuleSpec(name, self)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        import time
        time.sleep(0.6)
        module.replicas = lambda: "on"

sys.meta_path.insert(0, SlowImport())
settings.PINDB_MODE, settings.PINDB_SWITCH = "shadow", "slow_flags.replicas"
database_sets.load_config()
pid = os.fork()
if pid == 0:
    import time
    deadline = time.monotonic() + 5
    while str(database_sets.current_config().rollout) != "on":
        if time.monotonic() > deadline:
            os._exit(1)
        time.sleep(0.01)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""

GREENLETS = """
import django
django.setup()
from django.conf import settings
from pindb.config import database_sets
from gevent import monkey
monkey.patch_all()
import gevent
settings.PINDB_SWITCH = lambda: "on"
greenlets = [gevent.spawn(database_sets.load_config) for _ in range(4)]
assert len(gevent.joinall(greenlets, timeout=10, raise_error=True)) == 4
"""


FORKED_BY_C = """
import ctypes, os, sys, time
import django
django.setup()
from django.conf import settings
import pindb
from pindb.config import database_sets, rollout

rollout.SECONDS = 0.01
parent = os.getpid()
settings.PINDB_SWITCH = lambda: "on" if os.getpid() == parent else "off"

def place():
    with pindb.pinning_context():
        return pindb.get_replica("default")

assert place() != "default"
pid = ctypes.PyDLL(None).fork()
if pid == 0:
    deadline = time.monotonic() + 5
    while place() != "default":
        if time.monotonic() > deadline:
            os._exit(1)
        time.sleep(0.01)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(FORK_DURING_IMPORT, id="forks while the switch is imported"),
        pytest.param(FORKED_BY_C, id="is forked as uWSGI forks, without Python's hooks"),
        pytest.param(GREENLETS, id="has greenlets that start at once, and was patched late"),
    ],
)
def test_a_process_follows_that(script: str) -> None:
    quiet = [sys.executable, "-W", "ignore", "-c", script]
    assert subprocess.run(quiet, timeout=30, check=False).returncode == 0
