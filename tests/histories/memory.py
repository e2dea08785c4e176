"""How much memory workers have, in the first quarter of a time and in the last one, while browsers click."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pindb.testing.servers.processes.keeping import KeptDirectory
from tests.histories.run import Files, Plan, browsers_of, clicking, site_environment, wait_for_operations
from tests.histories.site import WORKERS, Site
from tests.servers import PostgresCluster, Valkey

MAX_GROWTH = 0.02
WARM_UP = 15_000
"""Operations. By then each process has met all that it meets; caches are full, and the allocator has its arenas."""
LAG_SECONDS = 0.3
EVERY_SECONDS = 1.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Growth:
    """The memory of a worker, in bytes: the medians of the first quarter of the time and of the last one."""

    first: float
    last: float

    @property
    def share(self) -> float:
        """How much it has grown, as a share of what it was."""
        return self.last / self.first - 1


def measure_memory(
    plan: Plan, cluster: PostgresCluster, valkey: Valkey, *, seconds: float, progress: Progress = lambda done, of: None
) -> Mapping[str, Growth]:
    """Let browsers click until the plan's operations are recorded, then measure for `seconds` while they go on.

    The databases are prepared. Nothing goes wrong, so each worker and its children live as long as this takes.
    """
    valkey.flush()
    cluster.set_lag(LAG_SECONDS)
    samples: dict[str, list[int]] = {name: [] for name in WORKERS}
    with KeptDirectory("pindb-memory-") as directory:
        files = Files(directory.path)
        with Site(site_environment(plan, cluster, valkey, files)) as site, clicking(browsers_of(plan, site)):
            wait_for_operations(plan, files.history)
            began = time.monotonic()
            while (passed := time.monotonic() - began) < seconds:
                progress(round(passed), round(seconds))
                for name, found in samples.items():
                    found.append(memory_of(site, name))
                time.sleep(EVERY_SECONDS)
            progress(round(seconds), round(seconds))
    return {name: growth(found) for name, found in samples.items()}


def memory_of(site: Site, name: str) -> int:
    """Return the memory that a process and its children have to themselves, in bytes: what they share counts once."""
    return sum(map(anonymous_memory, (site.pid(name), *site.children(name))))


def anonymous_memory(pid: int) -> int:
    """Return a process's memory that is no file's, in bytes. Pages that it shares with others count in part."""
    found = re.search(r"^Pss_Anon: +(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError("Linux tells the memory of a process since 5.9: this one is older.")
    return int(found[1]) * 1024


def growth(samples: Sequence[int]) -> Growth:
    """Compare the first quarter of the samples with the last one."""
    quarter = max(1, len(samples) // 4)
    return Growth(median(samples[:quarter]), median(samples[-quarter:]))
