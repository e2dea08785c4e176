"""A middleware of the shop's own around that of pindb, and a receiver of its signal."""

from collections.abc import Callable
from typing import Any

from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from pindb.middleware import PinDbMiddleware
from pindb.signals import WorkSummary, work_finished


class LogMiddleware(PinDbMiddleware):
    """pindb's, subclassed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        super().__init__(get_response)
        self.requests = 0


@receiver(work_finished)
def count(sender: type[WorkSummary], summary: WorkSummary, **kwargs: Any) -> None:
    """Count the reads of a unit of work."""
    reads: int = summary.reads_of("replica")
    print(summary.kind, reads)


def answer(request: HttpRequest) -> HttpResponseBase:
    """Call the middleware as Django does."""
    answered = LogMiddleware(lambda _: HttpResponse())(request)
    assert isinstance(answered, HttpResponseBase)
    return answered
