"""The comparison, small: what it is to show shows, and the table has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compare import page
from tests.compare.brokers import BROKERS
from tests.compare.contenders import CONTENDERS
from tests.compare.figures import Cell
from tests.compare.picture import STYLES, draw
from tests.compare.run import compare
from tests.compare.table import summary, table
from tests.demo.processes import prepare
from tests.demo.queues import QUEUES
from tests.servers import PostgresCluster, Valkey

LAG_SECONDS = 2.0
COMPARED = ("plain", "timed", "position")


@pytest.fixture(scope="module")
def cells() -> dict[str, Cell]:
    with PostgresCluster(standbys=1) as cluster, Valkey() as valkey:
        prepare(cluster)
        found = compare(cluster, valkey, contenders=COMPARED, lags=[LAG_SECONDS], tasks=6)
        return {cell.contender: cell for cell in found}


pytestmark = pytest.mark.heavy


def test_a_plain_router_is_stale_and_pindb_is_not_in_either_mode(cells: dict[str, Cell]) -> None:
    assert cells["plain"].after_write.stale == 6
    assert cells["plain"].after_write.failed == 3
    for mode in ("timed", "position"):
        assert cells[mode].mix.tasks == 12
        assert cells[mode].mix.stale == 0
        assert cells[mode].mix.on_replicas == 0.5


def test_each_task_says_how_long_it_took(cells: dict[str, Cell]) -> None:
    for cell in cells.values():
        assert 0 < cell.mix.median <= cell.mix.late < 30


def test_the_table_has_a_row_for_each_contender(cells: dict[str, Cell]) -> None:
    first, *rows = table(list(cells.values())).splitlines()
    assert first.split()[:4] == ["replicas", "2,000", "ms", "behind"]
    assert first.split()[-2:] == ["median", "p99"]
    assert "median" not in table(list(cells.values()), times=False)
    assert [row.split("   ")[0].strip() for row in rows] == [CONTENDERS[name].title for name in COMPARED]


def test_the_readmes_table_has_the_stale_tasks_and_the_share_on_replicas(cells: dict[str, Cell]) -> None:
    first, *rows = summary(list(cells.values())).splitlines()
    assert first.split() == ["replicas", "are", "behind", "by", "2,000", "ms"]
    assert [row.split("   ", 1)[0] for row in rows] == [CONTENDERS[name].title for name in COMPARED]
    assert [row.split("   ")[-1].strip() for row in rows[1:]] == ["0 /  50 %", "0 /  50 %"]


def test_the_tables_and_the_picture_go_where_the_docs_show_them(cells: dict[str, Cell], tmp_path: Path) -> None:
    pairs = [f"compare {queue} {broker}" for queue in QUEUES for broker in BROKERS]
    for original, markers in {page.PAGE: pairs, page.README: ["compare"]}.items():
        copy = tmp_path / original.name
        copy.write_text(original.read_text())
        for name in markers:
            page.write(copy, name, "Conditions.", f"the table of {name}.\n")
            assert copy.read_text().count(f"the table of {name}.") == 1
    with pytest.raises(ValueError, match="0 pairs of markers <!-- nowhere -->"):
        page.write(copy, "nowhere", "", "")
    assert set(STYLES) == set(CONTENDERS)
    draw(list(cells.values()), tmp_path / "compare.png")
    assert 0 < (tmp_path / "compare.png").stat().st_size < 150_000
