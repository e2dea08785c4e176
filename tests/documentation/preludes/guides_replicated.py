"""Views of a project that has django_replicated."""

from typing import Any

from .common import *

use_master: Any
use_slave: Any
seen: Any
