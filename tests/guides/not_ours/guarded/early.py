"""Tells of tasks that a request has published before its first write."""

from __future__ import annotations

# begin early
import logging
from collections.abc import Callable
from contextvars import ContextVar

from celery.signals import before_task_publish
from django.http import HttpRequest, HttpResponse

import pindb

logger = logging.getLogger(__name__)
early: ContextVar[tuple[str, ...]] = ContextVar("early", default=())


@before_task_publish.connect(weak=False)
def note(sender: str, **kwargs: object) -> None:
    if not pindb.get_newly_pinned():  # nothing is written yet
        early.set((*early.get(), sender))


def tell_early(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        early.set(())
        response = get_response(request)
        if early.get() and pindb.get_newly_pinned():
            logger.warning("%s wrote after it had published %s", request.path, ", ".join(early.get()))
        return response

    return middleware


# end early
