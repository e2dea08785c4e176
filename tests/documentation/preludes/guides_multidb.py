"""Views of a project that has django-multidb-router."""

from collections.abc import Callable
from typing import Any

from .common import *

use_primary_db: Any
db_write: Any
seen: Any
