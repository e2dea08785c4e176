"""The shop's settings, with the app of the histories, and seven more variables.

SHOP_HISTORY    the file that operations are recorded in
SHOP_FAILURES   the file for what has failed, a line of JSON each
SHOP_MESSAGES   the file for what has become of messages
SHOP_OLD        "1": a release from before pindb's adapters: messages are sent without pins, results taken without
SHOP_MUTANT     the name of a fault in pindb, of `mutants.MUTANTS`
SHOP_KEEP       how many seconds connections to databases stay open
SHOP_CLOCK      by how many seconds the clock of the process is ahead; behind, if negative
"""

from __future__ import annotations

import os

from tests.histories.store import clock
from tests.shop import settings as shop
from tests.shop.settings import *  # noqa: F403

clock.make_wrong(float(os.environ.get("SHOP_CLOCK", "0")))

INSTALLED_APPS = [*shop.INSTALLED_APPS, "tests.histories.store.apps.HistoriesConfig"]
if shop.SHOP_ROUTING != "plain":
    PINDB_DELEGATE_ROUTERS = ["tests.histories.store.routers.EntryRouter"]

HISTORIES_OLD = os.environ.get("SHOP_OLD") == "1"
ROOT_URLCONF = "tests.histories.store.urls"
for _database in shop.DATABASES.values():
    _database["CONN_MAX_AGE"] = int(os.environ.get("SHOP_KEEP", "0"))

CELERY_IMPORTS = ["tests.histories.store.tasks"]
# A message whose worker or worker process was killed is delivered again, and soon.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_RESULT_EXPIRES = 600
