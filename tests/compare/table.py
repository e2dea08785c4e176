"""The table: a block of rows for each lag."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from io import StringIO
from itertools import chain

from tests.compare.contenders import CONTENDERS
from tests.compare.figures import Cell, Figures
from tests.demo.terminal import print_table

COUNTS = ("stale", "failed", "retries", "on replicas")
TIMES = ("median", "p99")


def table(cells: Sequence[Cell], *, times: bool = True) -> str:
    """Return the table as text: on the left the tasks after a write, on the right the mix; `times`: with latencies."""
    text = StringIO()
    with redirect_stdout(text):
        print_table(list(_rows(cells, (*COUNTS, *TIMES) if times else COUNTS)))
    return text.getvalue()


def summary(cells: Sequence[Cell]) -> str:
    """Return the README's table: at each lag, the stale tasks of the mix, and the share of its reads on replicas."""
    text = StringIO()
    with redirect_stdout(text):
        print_table(list(_short_rows(cells)))
    return text.getvalue()


def _short_rows(cells: Sequence[Cell]) -> Iterator[tuple[str, ...]]:
    yield ("replicas are behind by", *(f"{lag * 1000:,.0f} ms" for lag in sorted({cell.lag for cell in cells})))
    for name, contender in CONTENDERS.items():
        row = sorted((cell for cell in cells if cell.contender == name), key=lambda cell: cell.lag)
        if row:
            yield (contender.title, *(f"{cell.mix.stale} / {100 * cell.mix.on_replicas:3.0f} %" for cell in row))


def _rows(cells: Sequence[Cell], columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    mix = (f"mix: {columns[0]}", *columns[1:])
    empty = ("",) * (1 + len(columns) + len(mix))
    for number, lag in enumerate(sorted({cell.lag for cell in cells})):
        if number:
            yield empty
        yield (f"replicas {lag * 1000:,.0f} ms behind", *columns, *mix)
        for cell in cells:
            if cell.lag == lag:
                halves = (_numbers(half)[: len(columns)] for half in (cell.after_write, cell.mix))
                yield (f"  {CONTENDERS[cell.contender].title}", *chain(*halves))


def _numbers(of: Figures) -> tuple[str, ...]:
    share = f"{100 * of.on_replicas:.0f} %"
    times = (f"{1000 * seconds:,.0f} ms" for seconds in (of.median, of.late))
    return (str(of.stale), str(of.failed), str(of.retries), share, *times)
