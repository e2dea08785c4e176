"""Commands that their user ends, with Ctrl+C or by closing their pipe, end without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pindb.management.doctor import web
from tests.unit.management.doctor.running import run

ROOT = Path(__file__).parents[3]


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_doctor_that_is_interrupted_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(web, "web", interrupt)
    assert run()[1] == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_a_status_whose_reader_has_gone_ends_quietly(tmp_path: Path) -> None:
    environment = {**os.environ, "SHOP_DIRECTORY": str(tmp_path), "DJANGO_SETTINGS_MODULE": "tests.shop.settings"}
    command = [sys.executable, "-m", "tests.shop.manage", "pindb_status", "--watch", "0.1"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as status:
        assert status.stdout is not None
        assert status.stderr is not None
        status.stdout.readline()
        status.stdout.close()
        try:
            assert status.wait(30) == 0
        finally:
            status.kill()
        assert status.stderr.read() == ""
