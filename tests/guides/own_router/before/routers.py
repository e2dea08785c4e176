"""What a team writes by hand: it says where models are kept, and chooses replicas."""

from __future__ import annotations

from typing import Any


# begin router
class Router:
    """Keeps the app "billing" in a database of its own, and reads replicas."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "billing_replica" if model._meta.app_label == "billing" else "replica"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "billing" if model._meta.app_label == "billing" else "primary"

    def allow_relation(self, obj1: Any, obj2: Any, **hints: Any) -> bool:
        return True


# end router
