"""The Django app: wires the system checks, and starts what observes."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Tags, register

from pindb import checks
from pindb.config.database_sets import forget_config
from pindb.exceptions import PinDbConfigError
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
        start_observing()


def start_observing() -> None:
    """Start what the settings want that observes. Raises `PinDbConfigError` where OpenTelemetry is not installed."""
    log.start()
    report.start()
    if getattr(settings, "PINDB_OPENTELEMETRY", False) is True:
        try:
            from pindb.monitoring import opentelemetry  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise PinDbConfigError(
                f"PINDB_OPENTELEMETRY is True, but OpenTelemetry cannot be imported ({error}).",
                'Type: pip install "pindb[opentelemetry]".',
            ) from error
        opentelemetry.start()
