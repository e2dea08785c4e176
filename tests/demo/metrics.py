"""Scrapes the metrics of the shop's processes, as Prometheus would, and adds them up."""

from __future__ import annotations

import json
import re
import urllib.request
from collections import Counter
from pathlib import Path

GAUGE = re.compile(r"pindb_replica_(usable|lag)")
SHOP = {"apps": "tests.shop.metrics.Metrics", "pindb": json.dumps({"PINDB_OPENTELEMETRY": True})}
"""What the shop needs to serve them, besides `metrics`: a directory."""


def scraped(directory: Path) -> dict[str, float]:
    """Return each of pindb's time series, by name and labels: counters added up, a gauge of one process."""
    sums: Counter[str] = Counter()
    for file in sorted(directory.iterdir()):
        with urllib.request.urlopen(f"http://127.0.0.1:{file.read_text()}/metrics", timeout=5) as response:
            for line in response.read().decode().splitlines():
                series, _, value = line.rpartition(" ")
                series = re.sub(r'otel_\w+="[^"]*",', "", series)
                if series.startswith("pindb_"):
                    sums[series] = float(value) + (0 if GAUGE.match(series) else sums[series])
    return dict(sums)
