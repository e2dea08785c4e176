"""Replaces attributes of Django's classes, and puts them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Patches:
    """The attributes that one module has replaced. Replacing one twice is once."""

    def __init__(self) -> None:
        self._originals: dict[tuple[type, str], Any] = {}

    def replace(self, owner: type, name: str, replacement: Callable[[Any], Any]) -> None:
        """Put `replacement(original)` in the place of an attribute that `owner` itself has."""
        if (owner, name) not in self._originals:
            original = self._originals[owner, name] = vars(owner)[name]
            setattr(owner, name, replacement(original))

    def undo(self) -> None:
        """Put all originals back."""
        while self._originals:
            (owner, name), original = self._originals.popitem()
            setattr(owner, name, original)
