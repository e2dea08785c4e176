"""One run of a job in a worker, the same for both queues: it ends with an outcome, or has to be repeated."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings

from tests.shop.seen import Outcome, Seen

PUBLISHED: Final = "shop_published"
"""Where a message says when it was published: a header, or an option."""
FIRST_DELAY: Final = 0.1


class AgainError(Exception):
    """The job has found no row, and is to be run again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"No row yet: again in {seconds:g} s")
        self.seconds = seconds


def run(job: Callable[..., Seen], *args: object, message: Mapping[str, Any], retries: int) -> Outcome:
    """Run the job; raise `AgainError` while `SHOP_RETRIES` lasts, with a delay that doubles each time."""
    seen = job(*args)
    if not seen["found"] and retries < settings.SHOP_RETRIES:
        raise AgainError(FIRST_DELAY * 2**retries)
    now = time.time()
    return Outcome(**seen, retries=retries, seconds=now - message.get(PUBLISHED, now))
