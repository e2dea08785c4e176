"""`PinDbConfigError` keeps what is wrong apart from what to type, and stays the error of one text that it was."""

from __future__ import annotations

import copy
import pickle

import pytest

from pindb import PinDbConfigError
from pindb.exceptions import did_you_mean, first_line, nearest


class TheirError(PinDbConfigError):
    """A user's own."""


def test_a_problem_and_a_remedy_are_read_as_one_text_and_kept_apart() -> None:
    error = PinDbConfigError("X is 'a. b'.", remedy="Write 'c'.")
    assert (error.problem, error.remedy) == ("X is 'a. b'.", "Write 'c'.")
    assert str(error) == "X is 'a. b'. Write 'c'."
    assert error.args == ("X is 'a. b'. Write 'c'.",)


@pytest.mark.parametrize("kind", [PinDbConfigError, TheirError])
def test_one_text_is_a_problem_without_a_remedy(kind: type[PinDbConfigError]) -> None:
    error = kind("Not this. Not that")
    assert (error.problem, error.remedy, str(error)) == ("Not this. Not that", "", "Not this. Not that")
    assert str(kind()) == ""


@pytest.mark.parametrize("kind", [PinDbConfigError, TheirError])
def test_a_copy_and_a_pickle_keep_both(kind: type[PinDbConfigError]) -> None:
    error = kind("X is 'a. b'.", "Write 'c'.")
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(other), str(other)) == (kind, str(error))
        assert (other.problem, other.remedy) == (error.problem, error.remedy)


def test_the_nearest_name_is_asked_for_and_else_all_are_told() -> None:
    assert nearest("of", ["on", "off"]) == did_you_mean("of", ["on", "off"]) == "Did you mean 'off'?"
    assert nearest("x", ["on", "off"]) == ""
    assert did_you_mean("x", ["on", "off"]) == "Known: 'off', 'on'."
    assert did_you_mean("x", []) == "There are none."


@pytest.mark.parametrize(
    ("said", "line"),
    [("Connection refused.", "OSError: Connection refused"), ("a.\nHINT: b.", "OSError: a"), ("", "OSError")],
)
def test_the_first_line_of_an_error_stands_in_a_sentence_that_has_a_full_stop_of_its_own(said: str, line: str) -> None:
    assert first_line(OSError(said)) == line
