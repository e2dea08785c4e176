"""The picture: stale reads against the share of reads on replicas, a panel for each lag."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.compare.contenders import CONTENDERS
from tests.compare.figures import Cell

STYLES: Final = {
    "master": ("s", "#555555"),
    "plain": ("o", "#d62728"),
    "multidb": ("D", "#ff7f0e"),
    "replicated": ("X", "#8c564b"),
    "retry": ("^", "#9467bd"),
    "countdown": ("v", "#e377c2"),
    "timed": ("P", "#1f77b4"),
    "position": ("p", "#2ca02c"),
}
SIZE: Final = 80
APART: Final = 10.0
"""How far apart symbols stand, in points, that would lie on one spot."""


def draw(cells: Sequence[Cell], path: Path) -> None:
    """Draw the mix of each contender and write the picture."""
    from matplotlib.figure import Figure

    lags = sorted({cell.lag for cell in cells})
    picture = Figure(figsize=(3 * len(lags), 4.4), dpi=110, layout="constrained")
    panels = picture.subplots(1, len(lags), sharey=True, squeeze=False)[0]
    for panel, lag in zip(panels, lags, strict=True):
        _fill(panel, [cell for cell in cells if cell.lag == lag])
        panel.set_title(f"replicas {lag * 1000:,.0f} ms behind", fontsize=10)
        panel.set(xlim=(-20, 120), ylim=(-4, 60), xticks=range(0, 101, 25), xlabel="reads on replicas, %")
        panel.grid(color="#dddddd", linewidth=0.6, zorder=0)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("tasks with a stale read, %")
    handles, labels = panels[0].get_legend_handles_labels()
    picture.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    picture.suptitle("Half of the tasks follow a write. Best: bottom right. Side by side: the same spot", fontsize=11)
    path.parent.mkdir(exist_ok=True)
    picture.savefig(path)


def _fill(panel: Any, cells: Sequence[Cell]) -> None:
    """Draw the points of a panel."""
    from matplotlib.transforms import ScaledTranslation

    spots: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    for cell in cells:
        spots[_spot(cell)].append(cell.contender)
    for cell in cells:
        on_it = spots[_spot(cell)]
        shift = (on_it.index(cell.contender) - (len(on_it) - 1) / 2) * APART
        marker, color = STYLES[cell.contender]
        points = panel.scatter(
            100 * cell.mix.on_replicas,
            100 * cell.mix.stale / cell.mix.tasks,
            s=SIZE,
            marker=marker,
            color=color,
            edgecolors="white",
            linewidths=0.5,
            zorder=3,
            label=CONTENDERS[cell.contender].title,
        )
        # After the panel's own: the shift is on paper, whatever the axes show.
        points.set_offset_transform(panel.transData + ScaledTranslation(shift / 72, 0, panel.figure.dpi_scale_trans))


def _spot(cell: Cell) -> tuple[int, int]:
    """Return which spot of the panel a point covers."""
    return round(20 * cell.mix.on_replicas), round(20 * cell.mix.stale / cell.mix.tasks)
