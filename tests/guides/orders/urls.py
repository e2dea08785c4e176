"""The shared views."""

from __future__ import annotations

from django.urls import path

from tests.guides.orders import views

urlpatterns = [
    path("orders/", views.place),
    path("orders/<int:pk>/", views.show),
    path("report/", views.order_report),
]
