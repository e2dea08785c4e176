"""The Django app: wires the system checks, nothing else."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register

from pindb import checks


class PinDbAppConfig(AppConfig):
    """For `INSTALLED_APPS += ["pindb"]`."""

    name = "pindb"
    verbose_name = "pindb"

    def ready(self) -> None:
        for check in checks.ALL:
            register(check)
        for check in checks.DEPLOY:
            register(check, deploy=True)
        for check in checks.ASKING:
            register(check, Tags.database)
