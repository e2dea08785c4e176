"""What `django-admin startproject` has written into the settings, and what the tutorial's page has before."""

from pathlib import Path
from typing import Any

BASE_DIR: Path
INSTALLED_APPS: list[str]
MIDDLEWARE: list[str]
servers: Any
