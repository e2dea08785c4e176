"""A task over RabbitMQ, with its result by rpc: a worker of its own runs it, with its caller's pins.

`python celery_task.py URL` publishes; the worker is `celery -A celery_task worker`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

import shop
from celery import Celery

import pindb
import pindb_celery

URL, QUEUE = "INSTALL_URL", "INSTALL_QUEUE"

shop.set_up()
app = Celery("install", broker=os.environ.get(URL) or sys.argv[1], backend="rpc://")
app.conf.update(task_default_queue=os.environ.setdefault(QUEUE, f"pindb-install-{uuid.uuid4().hex}"))
app.conf.update(broker_connection_retry_on_startup=True)
pindb_celery.install(app)


@app.task(name="where")
def where() -> list[str]:
    return sorted(pindb.get_pinned())


@app.task(name="write")
def write() -> None:
    pindb.pin("default")


def main() -> None:
    os.environ[URL] = sys.argv[1]
    quick = ["--pool=solo", "--without-mingle", "--without-gossip", "--loglevel=WARNING"]
    command = [sys.executable, "-m", "celery", "-A", "celery_task", "worker", f"--hostname={os.environ[QUEUE]}@%h"]
    worker = subprocess.Popen([*command, *quick], stdout=subprocess.DEVNULL)
    try:
        assert where.delay().get(timeout=60) == [], "nothing was pinned"
        write.delay().get(timeout=60)
        assert pindb.get_newly_pinned() == {"default"}, "the result carries the task's pins"
        assert where.delay().get(timeout=60) == ["default"], "the message carries its caller's pins"
    finally:
        worker.terminate()
        worker.wait(30)
        with app.connection_for_write() as connection:
            connection.default_channel.queue_delete(os.environ[QUEUE])
    assert worker.returncode == 0
    print("a task over RabbitMQ, its result by rpc")


if __name__ == "__main__":
    main()
