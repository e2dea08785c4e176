"""Plays a story in a guide's project: `python -m tests.guides.player "ann POST /orders/" "bob GET /orders/1/"`.

Each step is a browser, a method and a path. The last line of the output is JSON: the answer to each step, where the
id of a task is replaced by what the task returned.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from importlib import import_module
from typing import Any

import django
from django.conf import settings
from django.test import Client

TASK_TIMEOUT = 30


def play(steps: list[str]) -> list[dict[str, Any]]:
    """Send the requests one after the other and return the answers."""
    app = import_module(getattr(settings, "GUIDE_CELERY", f"tests.guides.{settings.PROJECT}.celery")).app
    browsers: defaultdict[str, Client] = defaultdict(Client)
    answers = []
    for step in steps:
        browser, method, path = step.split()
        response = browsers[browser].generic(method, path)
        answer = json.loads(response.content)
        if "task" in answer:
            answer["task"] = app.AsyncResult(answer["task"]).get(timeout=TASK_TIMEOUT)
        answers.append(answer)
    return answers


if __name__ == "__main__":
    django.setup()
    print(json.dumps(play(sys.argv[1:])))
