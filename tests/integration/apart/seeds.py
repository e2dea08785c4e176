"""The rows that the standby has. Imported only while the site's apps are installed."""

from __future__ import annotations

import datetime

from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from tests.shop.models import Customer


def sow() -> None:
    Customer.objects.create(name="Ada")
    ContentType.objects.get_for_model(Customer)
    for name in ("ada", "bea"):
        User.objects.create_user(name, password="secret")
    Session.objects.create(
        session_key="old-session", session_data=SessionStore().encode({"seen": "old"}), expire_date=in_a_day()
    )
    second, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.SECONDS)
    long_ago = timezone.now() - datetime.timedelta(days=1)
    PeriodicTask.objects.create(name="report", task="report", interval=second, args='["old"]', last_run_at=long_ago)


def in_a_day() -> datetime.datetime:
    return timezone.now() + datetime.timedelta(days=1)
