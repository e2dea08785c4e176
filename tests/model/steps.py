"""What requests and tasks do, step by step: each step calls the shipped code, and tells in a sentence what happened."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pindb.config.database_sets import current_config
from pindb.routing.orm import repeated_reads
from tests.model.connections import AUDIT, MASTER, DriverError, seam
from tests.model.seam import router
from tests.model.world import Known, Run, Violation, World
from tests.shop.models import AuditEntry, Order

MODELS: dict[str, Any] = {MASTER: Order, AUDIT: AuditEntry}


class Step:
    """One step. `ready` tells whether it can be taken yet; `take` takes it, and returns the rest of a sentence."""

    def ready(self, world: World) -> bool:
        return True

    def take(self, run: Run) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class Write(Step):
    """Writes through the ORM."""

    what: str
    db_set: str = MASTER

    def take(self, run: Run) -> str:
        alias = router.db_for_write(MODELS[self.db_set])
        if alias != self.db_set:
            raise Violation(f"writes {self.what} to {alias}")
        run.connection(alias).execute("INSERT INTO shop_order", self.what)
        run.change(wrote=run.actor.wrote | {alias})
        run.learn(Known(frozenset({self.what})))
        return f"writes {self.what}"


@dataclass(frozen=True)
class Read(Step):
    """Reads through the ORM, and has to see all that it knows of."""

    db_set: str = MASTER

    def take(self, run: Run) -> str:
        alias, said = router.db_for_read(MODELS[self.db_set]), ""
        try:
            run.connection(alias).execute("SELECT * FROM shop_order")
        except DriverError as error:
            if not repeated_reads._leave_failed_replica(alias, run.connection(alias), error, math.inf):  # type: ignore[arg-type]
                raise
            said, alias = f"loses {alias}, ", self.db_set
            run.connection(alias).execute("SELECT * FROM shop_order")
        try:
            run.read(alias)
        except Violation as violation:
            raise Violation(f"{said}reads {alias}, and {violation}") from None
        return f"{said}reads {alias}"


class Begin(Step):
    def take(self, run: Run) -> str:
        run.connection(MASTER).set_atomic(True)
        return "begins a transaction"


class Commit(Step):
    def take(self, run: Run) -> str:
        run.connection(MASTER).commit()
        return "commits"


class Rollback(Step):
    def take(self, run: Run) -> str:
        connection = run.connection(MASTER)
        undone = frozenset(connection.open)
        connection.rollback()
        run.change(known=run.actor.known._replace(writes=run.actor.known.writes - undone))
        return "rolls back"


@dataclass(frozen=True)
class Elsewhere(Step):
    """Another program writes, one that has nothing to do with the others here."""

    what: str

    def take(self, run: Run) -> str:
        seam.servers = seam.servers.commit((self.what,), seam.now)
        return f"writes {self.what}"


class Together(Step):
    """Several steps as one: what may happen in between makes no difference, or another world explores it."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps

    def ready(self, world: World) -> bool:
        return self.steps[0].ready(world)

    def take(self, run: Run) -> str:
        said: list[str] = []
        for step in self.steps:
            try:
                said.append(step.take(run))
            except Violation as violation:
                said.append(str(violation))
                raise Violation(_listed(said)) from None
        return _listed(said)


def _listed(said: list[str]) -> str:
    return ", ".join(said[:-1]) + " and " * (len(said) > 1) + said[-1]


def handed_on(run: Run) -> Known:
    """Return what the next one has to see, and how long a pin may hold for its sake."""
    actor = run.actor
    known = actor.known
    settings = current_config().settings
    monotonic = settings.positions and settings.monotonic_reads
    if monotonic:
        known = known.join(Known(actor.seen_in_block))
    if actor.wrote or (monotonic and (actor.places or actor.seen_in_block)):
        seconds = settings.position_seconds if settings.positions else settings.pinning_seconds
        known = known.join(Known(pinned_until=math.ceil(seam.now + seconds)))
    return known
