"""Finds the line that makes an object and drops it at once: `pindb.master("default")` where a `with` was forgotten.

Only such a line is found, never an object that was kept and not used in the end: a name, a list or another object
holds that one, so that it is dropped by something else than the call that made it.
"""

from __future__ import annotations

import ast
import dis
import linecache
import sys
from collections.abc import Callable
from itertools import islice
from types import FrameType, ModuleType

POP_TOP = dis.opmap["POP_TOP"]
"""What Python does with the value of an expression that stands alone."""


def dropping_line(makes_it: Callable[[object], bool]) -> tuple[FrameType, int] | None:
    """Return the frame and line of the call that has just made and dropped an object; `makes_it` tells such callables.

    To be called by the object's `__del__`. None for any other end of it, and where the source cannot be read.
    """
    if sys.is_finalizing():
        return None
    frame = sys._getframe(2)  # of `__del__`'s caller: the code that runs, for CPython drops an object at once
    if frame.f_code.co_code[frame.f_lasti] != POP_TOP:
        return None
    line, end_line, column, end_column = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
    if line is None or end_line is None or column is None or end_column is None:
        return None
    lines = [linecache.getline(frame.f_code.co_filename, number).encode() for number in range(line, end_line + 1)]
    lines[-1] = lines[-1][:end_column]
    lines[0] = lines[0][column:]
    try:
        expression = ast.parse(b"(" + b"".join(lines) + b")", mode="eval").body
    except (SyntaxError, ValueError):
        return None
    called = _value(expression.func, frame) if isinstance(expression, ast.Call) else None
    return (frame, line) if makes_it(called) else None


def _value(name: ast.expr, frame: FrameType) -> object:
    """Return what `name`, perhaps with dots, stands for in `frame`; None for any other expression."""
    if isinstance(name, ast.Attribute):
        module = _value(name.value, frame)  # of nothing else: reading an attribute may run code
        return vars(module).get(name.attr) if isinstance(module, ModuleType) else None
    if isinstance(name, ast.Name):
        return frame.f_locals.get(name.id, frame.f_globals.get(name.id))
    return None
