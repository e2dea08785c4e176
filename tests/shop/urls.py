"""The shop's addresses."""

from __future__ import annotations

from django.urls import path

from tests.shop import views

urlpatterns = [
    path("orders", views.place),
    path("orders.csv", views.export),
    path("orders/<int:pk>", views.show),
    path("orders/<int:pk>/pay", views.pay),
    path("orders/<int:pk>/cancel", views.cancel),
    path("report", views.report),
]
