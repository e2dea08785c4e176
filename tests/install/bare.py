"""pindb without any task queue: it is imported, set up and checked."""

from __future__ import annotations

import shop
from django.core.management import call_command

import pindb.middleware  # noqa: F401 - must be there

shop.set_up()
call_command("check")
print("it imports, and its system checks run")
