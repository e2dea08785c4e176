"""The Django app: wires the system checks, and what observes from the start."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register

from pindb import checks
from pindb.config.database_sets import forget_config
from pindb.monitoring import log, report


class PinDbAppConfig(AppConfig):
    """For `INSTALLED_APPS += ["pindb"]`."""

    name = "pindb"
    verbose_name = "pindb"

    def ready(self) -> None:
        forget_config()  # one that was read before the models does not know their tables
        for check in checks.ALL:
            register(check)
        for check in checks.DEPLOY:
            register(check, deploy=True)
        for check in checks.ASKING:
            register(check, Tags.database)
        log.start()
        report.start()
