"""Asynchronous views, consumers of Django Channels, and a loop that reads a stream."""

import asyncio
from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer

from .common import *

stream: Any
handle: Any
seen: Any
