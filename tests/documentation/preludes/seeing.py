"""A client of statsd."""

from typing import Any

from .common import *

statsd: Any
