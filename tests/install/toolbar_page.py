"""A page with django-debug-toolbar: the panel is there, with its template."""

from __future__ import annotations

import re

import shop
from django.conf import settings
from django.http import HttpRequest, HttpResponse

shop.set_up()
settings.DEBUG = True
settings.ALLOWED_HOSTS = ["testserver"]
settings.INTERNAL_IPS = ["127.0.0.1"]
settings.SECRET_KEY = "only for this program"
settings.STATIC_URL = "/static/"
settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
settings.MIDDLEWARE = ["pindb.middleware.PinDbMiddleware", "debug_toolbar.middleware.DebugToolbarMiddleware"]
settings.DEBUG_TOOLBAR_PANELS = ["pindb.monitoring.toolbar.PinDbPanel"]
settings.ROOT_URLCONF = __name__

from django.apps import apps  # noqa: E402

apps.set_installed_apps(["pindb", "django.contrib.staticfiles", "debug_toolbar"])

from django.test import Client  # noqa: E402
from django.urls import include, path  # noqa: E402

import pindb  # noqa: E402


def page(request: HttpRequest) -> HttpResponse:
    pindb.pin("default")
    return HttpResponse("<html><body></body></html>")


urlpatterns = [path("", page), path("__debug__/", include("debug_toolbar.urls"))]

client = Client()
text = client.get("/").content.decode()
found = re.search(r'data-request-id="(\w+)"', text)
assert found, text
answer = client.get("/__debug__/render_panel/", {"request_id": found[1], "panel_id": "PinDbPanel"})
assert "new: for 15 s" in answer.json()["content"], answer.content
print("a page with the debug toolbar's panel")
