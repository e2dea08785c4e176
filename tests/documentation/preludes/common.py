"""What a reader knows without being told: Django, pindb, and the shop's models and task."""

from typing import Any

from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse

import pindb

Order: Any
Customer: Any
Invoice: Any
Visit: Any
order: Any
confirm: Any
