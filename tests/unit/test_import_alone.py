"""Each adapter works where only the libraries of one broker or backend are installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

CELERY = """
from celery import Celery
import pindb_celery
app = Celery("alone", broker="memory://", backend="rpc://")
pindb_celery.install(app)
pindb_celery.uninstall(app)
"""
DRAMATIQ = """
from dramatiq.brokers.stub import StubBroker
import pindb_dramatiq
broker = StubBroker()
pindb_dramatiq.install(broker)
pindb_dramatiq.uninstall(broker)
"""
LIBRARIES = ("redis", "pika", "pylibmc", "gevent", "django_celery_results", "celery_batches")


@pytest.mark.parametrize("program", [CELERY, DRAMATIQ], ids=["celery", "dramatiq"])
@pytest.mark.parametrize("kept", [(), ("redis",), ("pika",)], ids=lambda kept: "-".join(kept) or "none")
def test_an_adapter_needs_none_of_the_libraries_of_brokers_and_backends(program: str, kept: tuple[str, ...]) -> None:
    missing = [name for name in LIBRARIES if name not in kept]
    hidden = f"import sys; sys.modules.update(dict.fromkeys({missing!r}))\n"  # None there: the import fails
    subprocess.run([sys.executable, "-c", hidden + program], check=True, timeout=60)
