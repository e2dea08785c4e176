"""A thing is said once for a key, and a place says no more than so many."""

from __future__ import annotations

from pindb.once import MOST, Once


def test_each_key_has_one_first_time() -> None:
    said = Once()
    assert [said.first_time(key) for key in ("a", ("a", 1), "a", ("a", 1))] == [True, True, False, False]


def test_two_places_do_not_share_what_they_have_said() -> None:
    first, second = Once(), Once()
    assert first.first_time("a")
    assert second.first_time("a")


def test_names_from_outside_fill_neither_memory_nor_log() -> None:
    said = Once()
    assert sum(said.first_time(number) for number in range(2 * MOST)) == MOST
    assert len(said._said) == MOST


def test_of_two_threads_that_come_at_once_one_says_it() -> None:
    said, answers = Once(), []

    class Slow(str):
        """The other thread comes after the first look at what was said: each look hashes the key."""

        looks = 0

        def __hash__(self) -> int:
            self.looks += 1
            if self.looks == 2:
                answers.append(said.first_time("a"))
            return super().__hash__()

        def __eq__(self, other: object) -> bool:
            return super().__eq__(other)

    answers.append(said.first_time(Slow("a")))
    answers.append(said.first_time("a"))
    assert sorted(answers) == [False, True]


def test_what_was_said_can_be_forgotten() -> None:
    said = Once()
    assert said.first_time("a")
    said.clear()
    assert said.first_time("a")
