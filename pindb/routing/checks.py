"""System checks of routers: those in `DATABASE_ROUTERS`, and the delegates in `PINDB_DELEGATE_ROUTERS`.

What to do with a router depends on what it returns, so each is asked about every installed model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.checks import Error, Warning
from django.db.utils import DEFAULT_DB_ALIAS
from django.utils.module_loading import import_string

from pindb.config.checks import Check, Findings, config_in_force
from pindb.config.database_sets import Config
from pindb.exceptions import did_you_mean, first_line, nearest
from pindb.routing.routers import PinDbRouter

OURS: Final = ("pindb.GreedyPinDbRouter", "pindb.StrictPinDbRouter")
MOVE: Final = "Move it to PINDB_DELEGATE_ROUTERS, where it names the masters."


@dataclass(frozen=True, slots=True)
class Answers:
    """What one router returns for the installed models: the aliases by model, and the models by the error raised."""

    read: dict[str, str] = field(default_factory=dict)
    write: dict[str, str] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)

    def models_by_alias(self) -> dict[str, list[str]]:
        """Return the models for which each alias is returned."""
        models: dict[str, list[str]] = {}
        for label, alias in (*self.read.items(), *self.write.items()):
            if label not in models.setdefault(alias, []):
                models[alias].append(label)
        return models


def check_routers(**_: Any) -> Findings:
    """W005, W006, W007, W020, E003, E008: `DATABASE_ROUTERS` has no router of ours, others beside it, or no router."""
    if unknown := _not_importable():
        return [unknown]
    routers = [import_string(router) if isinstance(router, str) else router for router in settings.DATABASE_ROUTERS]
    names = [router if isinstance(router, str) else _name(router) for router in settings.DATABASE_ROUTERS]
    ours = [index for index, router in enumerate(routers) if _is_ours(router)]
    if not ours:
        what = "DATABASE_ROUTERS has no router of pindb: nothing is read from a replica."
        return [Warning(what, hint='Write DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"].', id="pindb.W005")]
    findings: Findings = [
        Error(
            f"DATABASE_ROUTERS has {names[index]!r}, the base class of pindb's routers: it cannot write.",
            hint='Write "pindb.GreedyPinDbRouter" or "pindb.StrictPinDbRouter" there.',
            id="pindb.E003",
        )
        for index in ours
        if not hasattr(routers[index], "strict")
    ]
    for index, router in enumerate(routers):
        if index == ours[0] or not (hasattr(router, "db_for_read") or hasattr(router, "db_for_write")):
            continue
        name = repr(names[index])
        if index in ours:
            what = f"DATABASE_ROUTERS has two routers of pindb: {names[ours[0]]!r} answers, {name} is never asked."
            findings.append(Warning(what, hint="Take one of them out.", id="pindb.W020"))
        elif index < ours[0]:
            what = f"DATABASE_ROUTERS asks {name} before pindb: what it answers is not pinned."
            findings.append(Warning(what, hint=_advice(router), id="pindb.W006"))
        else:
            what = f"DATABASE_ROUTERS never asks {name}: pindb before it answers."
            findings.append(Warning(what, hint=_advice(router), id="pindb.W007"))
    return findings


def _not_importable() -> Error | None:
    """Return what there is to say of the first entry in `DATABASE_ROUTERS` that cannot be imported."""
    routers = settings.DATABASE_ROUTERS
    if isinstance(routers, str):
        what = f"DATABASE_ROUTERS is the string {routers!r}: Django looks for a router in each of its letters."
        return Error(what, hint=f'Write DATABASE_ROUTERS = ["{routers}"].', id="pindb.E008")
    for router in routers:
        try:
            if isinstance(router, str):
                import_string(router)
        except ImportError as error:
            what = f"DATABASE_ROUTERS has {router!r}, which cannot be imported ({error})."
            hint = nearest(router, OURS) or f"Write the path of a class. Those of pindb are {' and '.join(OURS)}."
            return Error(what, hint=hint, id="pindb.E008")
    return None


def check_delegates(**_: Any) -> Findings:
    """W015 to W019, E004: a delegate returns an alias that misleads pindb, raises, or is a router of pindb."""
    config = config_in_force()
    try:
        routers = config.delegates.routers if config is not None and config.delegates is not None else []
    except Exception:  # E001 says so
        return []
    if config is None or not routers:
        return []
    if ours := [_name(router) for router in routers if _is_ours(router)]:
        what = f"PINDB_DELEGATE_ROUTERS has {ours[0]!r}, a router of pindb: it asks itself without end."
        hint = "Take it out: it belongs in DATABASE_ROUTERS only."
        return [Error(what, hint=hint, id="pindb.E004")]
    answers = _ask(routers)
    pairs = zip(routers, answers, strict=True)
    findings = [finding for router, said in pairs for finding in _about(config, _name(router), said)]
    return [*findings, *_about_splits(config, answers)]


def _advice(router: Any) -> str:
    """Return what to do with a router that stands beside ours."""
    config = config_in_force()
    (answers,) = _ask([router() if isinstance(router, type) else router])
    replicas = [alias for alias in answers.models_by_alias() if config is not None and _is_replica(config, alias)]
    splits = [label for label, alias in answers.read.items() if answers.write.get(label, alias) != alias]
    if not replicas and not splits:
        for error in answers.errors.items():
            return (
                f"Look at what it returns (this check's question raised {_raised(error)}). If it chooses replicas, "
                "take it out: pindb chooses them. If it only names masters, list it in PINDB_DELEGATE_ROUTERS instead."
            )
        return MOVE
    why = f"returns {_replicas(replicas)}"
    if not replicas:
        label = splits[0]
        why = f"reads {label} from {answers.read[label]!r} and writes it to {answers.write[label]!r}"
    return (
        f"Take it out of DATABASE_ROUTERS: it {why}, and pindb chooses the replicas. If it also says where models are "
        "kept, write a router for PINDB_DELEGATE_ROUTERS that returns the master's alias for reads and writes."
    )


def _ask(routers: Sequence[Any]) -> list[Answers]:
    """Return what each router answers; as in Django's chain the first answer for a model counts."""
    answers = [Answers() for _ in routers]
    for model in apps.get_models(include_auto_created=True):
        label = model._meta.label
        for action in ("read", "write"):
            for router, said in zip(routers, answers, strict=True):
                try:
                    alias = getattr(router, f"db_for_{action}", _no_opinion)(model)
                except Exception as error:
                    said.errors.setdefault(first_line(error), []).append(label)
                    break
                if alias is not None:
                    (said.read if action == "read" else said.write)[label] = str(alias)
                    break
    return answers


def _no_opinion(_model: object) -> None:
    return None


def _about(config: Config, name: str, answers: Answers) -> Findings:
    """Return what there is to say about the aliases that one delegate returns."""
    findings: Findings = []
    replicas: dict[str, list[str]] = {}
    for alias, models in answers.models_by_alias().items():
        owner = config.owners.get(alias)
        returns = f"The delegate router {name} returns"
        if owner is not None and alias in owner.replicas:
            replicas[alias] = models
        elif owner is None and alias not in settings.DATABASES:
            what = f"{returns} {alias!r} for {_some(models)}, which DATABASES does not have."
            hint = f"{did_you_mean(alias, settings.DATABASES)} Return an alias in DATABASES, or None."
            findings.append(Warning(what, hint=hint, id="pindb.W015"))
        elif owner is None and (twin := _twin(config, alias)) is not None:
            master = config.owners[twin].name
            what = (
                f"{returns} {alias!r} for {_some(models)}: the same server as {twin!r}, but an alias of no DB set, so "
                "that pins do not count there."
            )
            hint = f'Return "{master}": pindb chooses the replicas.'
            if twin != master:
                hint += f' To keep the alias, write "ALIAS": "{alias}" in the entry of {twin!r} in DATABASE_SETS.'
            findings.append(Warning(what, hint=hint, id="pindb.W017"))
    if replicas:
        models = list(dict.fromkeys(label for labels in replicas.values() for label in labels))
        masters = " or ".join(f'"{master}"' for master in sorted({config.owners[alias].name for alias in replicas}))
        what = (
            f"The delegate router {name} returns {_replicas(replicas)} for {_some(models)}: pindb may read another one."
        )
        hint = (
            f"Return {masters}, the master's alias: pindb chooses the replicas. If the router only chooses replicas, "
            "take it out of PINDB_DELEGATE_ROUTERS."
        )
        findings.append(Warning(what, hint=hint, id="pindb.W016"))
    for error in answers.errors.items():
        what = f"The delegate router {name} raised {_raised(error)}: queries for it raise as well."
        hint = "Correct the router. Django calls it with the model, and often without hints."
        findings.append(Warning(what, hint=hint, id="pindb.W019"))
    return findings


def _about_splits(config: Config, answers: Iterable[Answers]) -> Findings:
    """Return what there is to say about models that are read from one database and written to another."""
    read: dict[str, str] = {}
    write: dict[str, str] = {}
    for said in answers:
        read.update(said.read)
        write.update(said.write)
    failed = {label for said in answers for labels in said.errors.values() for label in labels}
    splits: dict[tuple[str, str], list[str]] = {}
    for label in {**read, **write}.keys() - failed:
        pair = read.get(label, DEFAULT_DB_ALIAS), write.get(label, DEFAULT_DB_ALIAS)
        # A model that is only read, from a database beside pindb, may well have no opinion on writes.
        only_read = label not in write and pair[0] not in config.owners
        if pair[0] != pair[1] and not only_read and not any(_is_told_of(config, alias) for alias in pair):
            splits.setdefault(pair, []).append(label)
    return [
        Warning(
            f"The delegate routers read {_some(sorted(labels))} from {reads!r} and write it to {writes!r}: a pin on "
            "one does not count for the other, so that a read may miss what was just written.",
            hint=f'Return one alias from db_for_read and db_for_write, e.g. "{writes}".',
            id="pindb.W018",
        )
        for (reads, writes), labels in sorted(splits.items())
        if reads in config.owners or writes in config.owners
    ]


def _is_told_of(config: Config, alias: str) -> bool:
    """Return whether W015, W016 or W017 says what is wrong with `alias`."""
    return alias not in settings.DATABASES or _is_replica(config, alias) or _twin(config, alias) is not None


def _is_replica(config: Config, alias: str) -> bool:
    owner = config.owners.get(_twin(config, alias) or alias)
    return owner is not None and (alias in owner.replicas or _twin(config, alias) in owner.replicas)


def _twin(config: Config, alias: str) -> str | None:
    """Return the alias of a DB set that leads to the same database as `alias`, which belongs to none."""
    if alias in config.owners or alias not in settings.DATABASES or settings.DATABASES[alias].get("NAME") == ":memory:":
        return None
    same = (other for other in config.owners if _place(other) == _place(alias))
    return next(same, None)


def _place(alias: str) -> tuple[str, ...]:
    database: Mapping[str, Any] = settings.DATABASES.get(alias, {})
    return tuple(str(database.get(key) or "") for key in ("ENGINE", "HOST", "PORT", "NAME"))


def _replicas(aliases: Iterable[str]) -> str:
    names = sorted(aliases)
    return f"the replica{'s' if len(names) > 1 else ''} {', '.join(map(repr, names))}"


def _raised(error: tuple[str, list[str]]) -> str:
    return f"{error[0]} when asked for {_some(list(dict.fromkeys(error[1])))}"


def _some(labels: list[str]) -> str:
    """Return the first models and how many more there are."""
    return ", ".join(labels[:2]) + (f" and {len(labels) - 2} more" if len(labels) > 2 else "")


def _name(router: object) -> str:
    cls = router if isinstance(router, type) else type(router)
    return f"{cls.__module__}.{cls.__qualname__}"


def _is_ours(router: object) -> bool:
    return issubclass(router if isinstance(router, type) else type(router), PinDbRouter)


CHECKS: Final[tuple[Check, ...]] = (check_routers, check_delegates)
