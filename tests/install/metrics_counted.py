"""pindb with OpenTelemetry's API alone, without an SDK: reads are counted, nothing is exported, nothing fails."""

from __future__ import annotations

import shop
from django.conf import settings

shop.set_up()
settings.PINDB_OPENTELEMETRY = True

from pindb.apps import start_observing  # noqa: E402

start_observing()

from django.db import router  # noqa: E402

import pindb  # noqa: E402
from pindb import events  # noqa: E402
from pindb.core.frames import current_frame  # noqa: E402

assert events.observers
with pindb.pinning_context():
    router.db_for_read(object)
    (read,) = current_frame().unit.reads or ()
assert read.count == 1
print("reads are counted for OpenTelemetry")
