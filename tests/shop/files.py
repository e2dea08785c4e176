"""Where the shop's SQLite files lie: one directory for a process and all that it starts."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

VARIABLE: Final = "SHOP_DIRECTORY"


def sqlite_file(name: str) -> str:
    """Return the path of a SQLite file."""
    return str(_directory() / f"{name}.sqlite3")


def _directory() -> Path:
    """Return the directory; unless the environment names one, make one that is gone when this process has ended."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = tempfile.mkdtemp(prefix="pindb-shop-")
        atexit.register(_remove, os.environ[VARIABLE], os.getpid())
    return Path(os.environ[VARIABLE])


def _remove(path: str, owner: int) -> None:
    # A forked child that ends inherits this call, and its parent is still at work.
    if os.getpid() == owner:
        shutil.rmtree(path, ignore_errors=True)
