"""The table: a block of rows for each lag."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from io import StringIO

from tests.compare.contenders import CONTENDERS
from tests.compare.figures import Cell, Figures
from tests.demo.terminal import print_table

COLUMNS = ("stale", "failed", "retries", "on replicas", "median", "p99")
MIX = ("mix: stale", *COLUMNS[1:])


def table(cells: Sequence[Cell]) -> str:
    """Return the table as text: on the left the tasks after a write, on the right the mix."""
    text = StringIO()
    with redirect_stdout(text):
        print_table(list(_rows(cells)))
    return text.getvalue()


def _rows(cells: Sequence[Cell]) -> Iterator[tuple[str, ...]]:
    empty = ("",) * (1 + len(COLUMNS) + len(MIX))
    for number, lag in enumerate(sorted({cell.lag for cell in cells})):
        if number:
            yield empty
        yield (f"replicas {lag * 1000:,.0f} ms behind", *COLUMNS, *MIX)
        for cell in cells:
            if cell.lag == lag:
                yield (f"  {CONTENDERS[cell.contender].title}", *_numbers(cell.after_write), *_numbers(cell.mix))


def _numbers(of: Figures) -> tuple[str, ...]:
    share = f"{100 * of.on_replicas:.0f} %"
    times = (f"{1000 * seconds:,.0f} ms" for seconds in (of.median, of.late))
    return (str(of.stale), str(of.failed), str(of.retries), share, *times)
