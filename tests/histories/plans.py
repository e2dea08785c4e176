"""Plans of requests, drawn by chance: what a client has done, and what its tasks do in turn. A seed draws the same."""

from __future__ import annotations

from random import Random

from tests.histories.store.migrations import ROWS

Step = list[object]
Plan = list[Step]

READS = ("get", "values", "raw")
WRITES = ("update", "save", "raw", "commit")
PATHS = (*("task",) * 6, *("later", "chain", "chord") * 3, "garbage", "newer", "empty")
GENERATIONS = 3
"""How deep tasks send tasks."""
LONGEST_PAUSE = 0.5
COMMON = ("account 1", "account 2", "entry 1")
"""The rows that every client reads and writes; the others have one client each."""
KEYS_OF_A_CLIENT = 3


class Planner:
    """Draws the plans of one client, which has rows of its own, and those in common."""

    def __init__(self, chance: Random, client: int, *, reads_only: bool) -> None:
        first = 10 + client * KEYS_OF_A_CLIENT
        if first + KEYS_OF_A_CLIENT > ROWS:
            raise ValueError(f"Client {client} has no rows: there are {ROWS}.")
        self._chance = chance
        self._own = [f"account {first}", f"account {first + 1}", f"entry {first + 2}"]
        self._reads_only = reads_only

    def request(self) -> Plan:
        """Return the plan of the next request."""
        if self._reads_only or self._chance.random() < 0.4:
            return [self._read() for _ in range(self._chance.randint(1, 4))]
        kind = self._chance.random()
        if kind < 0.2:
            return self._result()
        if kind < 0.3:
            return self._written_again()
        return self._work(GENERATIONS)

    def _result(self) -> Plan:
        """Draw a request that takes the result of a task, and reads what the task has written or read."""
        chance, key = self._chance, self._key()
        before = [self._read()] if chance.random() < 0.5 else []
        written = ["write", key, chance.choice(WRITES)] if chance.random() < 0.7 else ["read", key, "get"]
        return [*before, ["take", chance.choice(("celery", "dramatiq")), [written]], ["read", key, "get"], self._read()]

    def _written_again(self) -> Plan:
        """Draw a request that writes a row again after a message. The tasks of the later ones have to know of both."""
        key, chance = self._chance.choice(self._own), self._chance
        first, second = (["write", key, chance.choice(("update", "save", "raw"))] for _ in range(2))
        before, *after = (
            [chance.choice(("celery", "dramatiq")), "task", [[["read", key, chance.choice(READS)]]]] for _ in range(4)
        )
        return [first, before, self._pause(), second, *after]

    def _work(self, generations: int) -> Plan:
        """Draw reads and writes, with tasks between them while there are `generations` left."""
        chance = self._chance
        plan: Plan = []
        for _ in range(chance.randint(1, 3)):
            plan.append(self._read() if chance.random() < 0.6 else self._write(generations))
            if generations and chance.random() < 0.28:
                plan.append(self._message(generations - 1))
                if chance.random() < 0.4:  # what is written now comes too late for the message
                    plan += [self._pause(), self._write(0)]
        if generations < GENERATIONS and chance.random() < 0.08:
            plan[chance.randint(1, len(plan)) :] = [["again"], self._read()]
        return plan

    def _read(self) -> Step:
        return ["read", self._key(), self._chance.choice(READS)]

    def _pause(self) -> Step:
        return ["pause", round(self._chance.uniform(0.05, LONGEST_PAUSE), 2)]

    def _write(self, generations: int) -> Step:
        style = self._chance.choice(WRITES)
        then = [self._message(generations - 1)] if style == "commit" and generations else []
        return ["write", self._key(), style, *then]

    def _message(self, generations: int) -> Step:
        chance = self._chance
        queue = chance.choice(("celery", "dramatiq"))
        path = chance.choice(PATHS)
        number = chance.randint(2, 4) if path in {"chain", "chord"} else 1
        # The more tasks, the fewer children: no request keeps the workers for long.
        return [queue, path, [self._work(generations if number == 1 else 0) for _ in range(number)]]

    def _key(self) -> str:
        return self._chance.choice(COMMON if self._chance.random() < 0.2 else self._own)
