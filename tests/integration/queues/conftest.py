"""The queues, each started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.celery.combinations import Combination
from tests.integration.celery.conftest import Start, _settings_of_the_worker, _tables, key, start, valkey  # noqa: F401 - fixtures of theirs
from tests.integration.dramatiq.workers import made_workers
from tests.integration.queues.queues import CeleryQueue, DramatiqQueue, Queue
from tests.servers import Valkey


@pytest.fixture(scope="module", params=["celery-valkey", "celery-rabbitmq", "dramatiq-redis", "dramatiq-rabbitmq"])
def queue(request: pytest.FixtureRequest, start: Start, valkey: Valkey) -> Iterator[Queue]:  # noqa: F811
    name, broker = request.param.split("-")
    if name == "celery":
        with start(Combination(broker, "redis", "prefork")) as paths:
            yield CeleryQueue(paths)
    else:
        with made_workers(broker, "threads", valkey) as workers, workers.running():
            yield DramatiqQueue(workers)
