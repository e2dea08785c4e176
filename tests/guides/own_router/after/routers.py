"""What is left of the router: it says where models are kept, and names masters only."""

from __future__ import annotations

from typing import Any


# begin router
class Router:
    """Keeps the app "billing" in a database of its own."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "billing" if model._meta.app_label == "billing" else None

    db_for_write = db_for_read

    def allow_relation(self, obj1: Any, obj2: Any, **hints: Any) -> bool:
        return True


# end router
