"""The picture: stale reads against the share of reads on replicas, a panel for each lag."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

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
    "position": ("*", "#2ca02c"),
}
LARGEST, STEP = 260, 26


def draw(cells: Sequence[Cell], path: Path) -> None:
    """Draw the mix of each contender and write the picture."""
    from matplotlib.figure import Figure

    lags = sorted({cell.lag for cell in cells})
    picture = Figure(figsize=(3 * len(lags), 4.4), dpi=110, layout="constrained")
    panels = picture.subplots(1, len(lags), sharey=True, squeeze=False)[0]
    for panel, lag in zip(panels, lags, strict=True):
        for cell in (cell for cell in cells if cell.lag == lag):
            marker, color = STYLES[cell.contender]
            # The later, the smaller and the further in front: what lies on one point can all be seen.
            number = list(CONTENDERS).index(cell.contender)
            panel.scatter(
                100 * cell.mix.on_replicas,
                100 * cell.mix.stale / cell.mix.tasks,
                s=LARGEST - number * STEP,
                marker=marker,
                color=color,
                edgecolors="white",
                linewidths=0.8,
                zorder=3 + number,
                clip_on=False,
                label=CONTENDERS[cell.contender].title,
            )
        panel.set_title(f"replicas {lag * 1000:,.0f} ms behind", fontsize=10)
        panel.set(xlim=(-8, 108), ylim=(-3, 60), xticks=range(0, 101, 25), xlabel="reads on replicas, %")
        panel.grid(color="#dddddd", linewidth=0.6, zorder=0)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("tasks with a stale read, %")
    handles, labels = panels[0].get_legend_handles_labels()
    picture.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    picture.suptitle("Half of the tasks follow a write. Best: bottom right", fontsize=11)
    path.parent.mkdir(exist_ok=True)
    picture.savefig(path)
