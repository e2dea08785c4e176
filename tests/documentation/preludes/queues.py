"""A backend for Django's tasks that somebody else has written."""

from typing import Any

vendor: Any
