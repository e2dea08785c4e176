"""With pindb, and multidb's rule that each POST reads the master."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

import pindb


# begin middleware
def pin_posts(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method not in {"GET", "HEAD", "OPTIONS", "TRACE"}:
            pindb.pin("default", count_as_new=False)  # for this request, not for the next one
        return get_response(request)

    return middleware


# end middleware
