"""The project's views: one writes and enqueues, one only reads, one forgets the pin."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

import pindb
from tests.integration.plugin.project.tasks import greet
from tests.shop.models import Customer


def write(request: HttpRequest) -> HttpResponse:
    Customer.objects.create(name=request.GET["name"])
    return HttpResponse(str(greet.delay(request.GET["name"]).get()))


def read(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(Customer.objects.filter(name=request.GET["name"]).exists()))


def forget(request: HttpRequest) -> HttpResponse:
    Customer.objects.create(name=request.GET["name"])
    with pindb.pinning_context():  # as code that runs elsewhere, and that nothing has told
        return read(request)


def swallow(request: HttpRequest) -> HttpResponse:
    try:
        return forget(request)
    except AssertionError:
        return HttpResponse("fine")


urlpatterns = [path("write", write), path("read", read), path("forget", forget), path("swallow", swallow)]
