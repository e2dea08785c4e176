"""A consumer of Django Channels, and a payment provider."""

import json
from typing import Any

from channels.generic.websocket import JsonWebsocketConsumer

from .common import *

provider: Any
