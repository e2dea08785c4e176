"""Runs `manage.py pindb_doctor` in this process, and reads what it has found."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery
from celery._state import _deregister_app
from django.core.management import call_command

import pindb_celery

Findings = list[dict[str, str]]


def run(*arguments: str) -> tuple[str, int]:
    """Return what the command prints, and its exit status."""
    out = io.StringIO()
    try:
        call_command("pindb_doctor", *arguments, stdout=out, no_color=True)
    except SystemExit as end:
        return out.getvalue(), int(end.code or 0)
    return out.getvalue(), 0


def found(section: str, *arguments: str) -> Findings:
    """Return what it finds in a section."""
    text, status = run("--json", *arguments)
    document: dict[str, Any] = json.loads(text)
    verdicts = {finding["verdict"] for findings in document["sections"].values() for finding in findings}
    assert document["status"] == status == int("wrong" in verdicts)
    findings: Findings = document["sections"][section]
    assert all(finding["remedy"] for finding in findings if finding["verdict"] != "ok"), "each with what to type"
    return findings


def texts(findings: Iterable[dict[str, str]], verdict: str) -> list[str]:
    return [f"{finding['text']} {finding['remedy']}" for finding in findings if finding["verdict"] == verdict]


@contextmanager
def celery_app(name: str, **options: Any) -> Iterator[Celery]:
    app = Celery(name, **{"broker": "memory://", "set_as_current": False, **options})
    try:
        yield app
    finally:
        pindb_celery.uninstall(app)
        app.close()
        _deregister_app(app)
