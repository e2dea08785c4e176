"""A publish inside a transaction that has written is noticed: its task may run before the commit.

Then even the master does not have the row, and no pin helps. `PINDB_PUBLISH_IN_ATOMIC` says what to do about it.
"""

from __future__ import annotations

import logging
from typing import Final

from pindb import events, interrupts
from pindb.config.database_sets import current_config
from pindb.core.open_writes import written_here
from pindb.exceptions import PinDbException
from pindb.lines import calling_line
from pindb.once import Once
from pindb.propagation.failures import log_failure

logger: Final = logging.getLogger("pindb")


class PublishGuard:
    """Notices such publishes for one task queue.

    `what` and `remedy` are templates of the message, for the name of a task; `inside` are the packages that a publish
    goes through, so that the message can name the line before them; `error` is raised where the setting says so.
    """

    def __init__(self, what: str, remedy: str, inside: frozenset[str], error: type[PinDbException]) -> None:
        self.what: Final = what
        self.remedy: Final = remedy
        self.inside: Final = inside | {"pindb"}
        self.error: Final = error
        self.warned: Final = Once()

    def notice(self, task: str) -> None:
        """Warn of an open transaction that has written, once for a task in this process; or raise `error`."""
        try:
            aliases = written_here()
            if not aliases:
                return
            policy = current_config().settings.publish_in_atomic
            events.tell(events.Observer.published_in_transaction, task)
        except interrupts.types:
            raise
        except Exception:
            log_failure("pindb could not tell whether a transaction is open.")
            return
        if policy == "allow" or (policy == "warn" and not self.warned.first_time(task)):
            return
        where = f"{calling_line(self.inside)} inside a transaction that has written to {', '.join(aliases)}"
        remedy = self.remedy.format(task.rpartition(".")[2])
        message = f"{self.what.format(task)} at {where}: a worker may run it before the commit. {remedy}"
        if policy == "error":
            raise self.error(f'{message} (PINDB_PUBLISH_IN_ATOMIC is "error".)')
        logger.warning("%s Said once per task and process; silence it with PINDB_PUBLISH_IN_ATOMIC.", message)
