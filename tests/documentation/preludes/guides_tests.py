"""The settings of a project that has pindb."""

from typing import Any

from .common import *

MASTER_DATABASES: dict[str, dict[str, Any]]
