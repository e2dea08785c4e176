"""Serves this process's metrics as Prometheus scrapes them: an app for `SHOP_APPS`, with its port in `SHOP_METRICS`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.apps import AppConfig


class Metrics(AppConfig):
    """`SHOP_APPS=tests.shop.metrics.Metrics`; `SHOP_METRICS` names a directory for a file per process, its port."""

    name = "tests.shop.metrics"

    def ready(self) -> None:
        from opentelemetry import metrics
        from opentelemetry.exporter.prometheus import PrometheusMetricReader
        from opentelemetry.sdk.metrics import MeterProvider

        metrics.set_meter_provider(MeterProvider(metric_readers=[PrometheusMetricReader()]))
        serve()
        if "celery" in sys.modules:
            from celery.signals import worker_process_init

            worker_process_init.connect(serve, weak=False)  # a forked child has no thread that serves


def serve(**_: object) -> None:
    from prometheus_client import start_http_server

    server, _thread = start_http_server(0, addr="127.0.0.1")
    Path(os.environ["SHOP_METRICS"], str(os.getpid())).write_text(str(server.server_port))
