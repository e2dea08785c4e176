"""The module that makes the broker."""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results

from .common import *

INSTALLED_APPS: list[str]
