"""The addresses of the histories' site."""

from __future__ import annotations

from django.urls import path

from tests.histories.store import views

urlpatterns = [path("sync", views.sync_view), path("async", views.async_view)]
