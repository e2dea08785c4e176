"""What the measure of memory tells of a process, and of a series of samples."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.histories.memory import anonymous_memory, growth

MIB = 2**20

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux tells it.")


def test_memory_that_a_process_has_filled_counts() -> None:
    before = anonymous_memory(os.getpid())
    kept = b"x" * (32 * MIB)
    assert 31 * MIB < anonymous_memory(os.getpid()) - before < 40 * MIB
    del kept


def test_growth_compares_the_last_quarter_with_the_first_one() -> None:
    assert growth([100, 100, 500, 500, 500, 500, 103, 103]).share == pytest.approx(0.03)


def test_one_odd_sample_is_no_growth() -> None:
    assert growth([*[100] * 9, 900, 100, 100]).share == 0
