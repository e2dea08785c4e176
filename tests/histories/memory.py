"""How much memory workers have, in the first quarter of a time and in the last one, while browsers click."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from pindb.testing.servers.processes.keeping import KeptDirectory
from tests.histories.run import Files, Plan, browsers_of, clicking, site_environment, wait_for_operations
from tests.histories.servers import servers
from tests.histories.site import WORKERS, Site

MAX_GROWTH = 0.02
"""By how much more a worker may grow than one of the same site without pindb. Celery's grow by themselves."""
WARM_UP = 15_000
"""Operations. By then each process has met all that it meets; caches are full, and the allocator has its arenas."""
LAG_SECONDS = 0.3
EVERY_SECONDS = 1.0

Progress = Callable[[str, int, int], None]


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
    plans: Mapping[str, Plan], *, seconds: float, progress: Progress = lambda what, done, of: None
) -> Mapping[str, Mapping[str, Growth]]:
    """Run sites side by side, a plan for each; return the growth of each site's workers.

    Browsers click until all plans' operations are recorded, and go on while memory is measured for `seconds`. Nothing
    goes wrong, so each worker and its children live as long as this takes.
    """
    samples: dict[str, dict[str, list[int]]] = {title: {name: [] for name in WORKERS} for title in plans}
    with ExitStack() as stack:
        sites = {title: stack.enter_context(_clicked_site(plan)) for title, plan in plans.items()}
        for title, (_, files) in sites.items():
            wait_for_operations(plans[title], files.history, partial(progress, f"{title}, operations to warm up"))
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            progress("measured, seconds", round(passed), round(seconds))
            for title, (site, _) in sites.items():
                for name in WORKERS:
                    samples[title][name].append(memory_of(site, name))
            time.sleep(EVERY_SECONDS)
        progress("measured, seconds", round(seconds), round(seconds))
    return {title: {name: growth(found) for name, found in workers.items()} for title, workers in samples.items()}


@contextmanager
def _clicked_site(plan: Plan) -> Iterator[tuple[Site, Files]]:
    """Run a site whose browsers click."""
    with servers(plan.broker) as running, KeptDirectory("pindb-memory-") as directory:
        running.cluster.set_lag(LAG_SECONDS)
        files = Files(directory.path)
        with Site(site_environment(plan, running, files), plan.seed) as site, clicking(browsers_of(plan, site)):
            yield site, files


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
