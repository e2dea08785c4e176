"""The queue of the worked example."""

from typing import Any

queue: Any
