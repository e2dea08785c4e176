"""A library of feature flags."""

from typing import Any

from .common import *

flags: Any
