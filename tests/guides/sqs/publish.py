"""Publishes one task after a write: `python -m tests.guides.sqs.publish`. No worker is there."""

from __future__ import annotations

import django

if __name__ == "__main__":
    django.setup()
    from tests.guides.orders.models import Order
    from tests.guides.orders.tasks import confirm
    from tests.guides.sqs.after.celery import app

    app.set_current()
    print(confirm.delay(Order.objects.create().pk).id)
