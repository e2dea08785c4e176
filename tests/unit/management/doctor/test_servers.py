"""What the doctor decides about servers: by what they have answered, in whatever words that is told."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from pindb.config.database_sets import current_config
from pindb.management.doctor import servers as doctor
from pindb.servers import survey
from pindb.servers.vendors.base import Report
from tests.unit.management.doctor.running import found

WHY = "Error: permission denied, it is no replica (any more). Write Error: "
"""Words that once decided."""


def said_of(monkeypatch: pytest.MonkeyPatch, **replica: Any) -> list[tuple[str, str]]:
    """Return (verdict, text) for a replica, and what is said of its DB set."""
    status = survey.SetStatus(
        "default",
        survey.Server("default", reachable=True),
        (survey.Server("default-1", **{"reachable": True, "why": WHY, **replica}),),
    )
    monkeypatch.setattr(doctor, "survey", lambda _config: [status])
    _master, *findings = found("servers")
    return [(finding["verdict"], f"{finding['text']} {finding['remedy']}") for finding in findings]


@pytest.mark.parametrize(
    ("replica", "verdict", "text"),
    [
        ({"reachable": False}, "wrong", f"cannot be reached, and is skipped: {WHY}."),
        ({}, "ok", "is a file."),
        ({"answer": Report(follows=False)}, "wrong", f"is skipped: {WHY}. Correct its HOST"),
        ({"answer": Report(refused=True)}, "unwise", f"is not known: {WHY}. Look at its log."),
        ({"answer": Report()}, "wrong", f"does not follow its master: {WHY}. It is read all the same."),
        ({"answer": Report(), "reads": False}, "wrong", f"does not follow its master: {WHY}. It is skipped."),
        ({"answer": Report(lag=3.0), "reads": False}, "unwise", f"is skipped: {WHY}. Find out what holds it up"),
        ({"answer": Report(lag=3.0)}, "ok", "follows, 3.00 s behind."),
    ],
)
def test_a_verdict_is_about_the_answer_and_not_about_its_words(
    monkeypatch: pytest.MonkeyPatch, replica: dict[str, Any], verdict: str, text: str
) -> None:
    ((judged, said),) = said_of(monkeypatch, **replica)
    assert judged == verdict
    assert text in said


def test_a_replica_that_lags_beyond_the_pins_is_told_with_its_remedy_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    status = survey.SetStatus(
        "default",
        survey.Server("default", reachable=True),
        (survey.Server("the Write replica", reachable=True, lag_seconds=20.0),),
    )
    (warning,) = survey.lag_warnings([status], current_config())
    assert warning.problem.endswith("pins end before it has what was written, and it is read.")
    assert warning.remedy.startswith("Write a number of seconds over the lag you expect, or PINDB_MAX_LAG_SECONDS = 15")
    document = survey.as_dict([status], current_config())
    assert document["warnings"] == [f"{warning.problem} {warning.remedy}"]
    assert list(document["sets"]["default"]["replicas"][0]) == [
        "alias", "reachable", "lag_seconds", "lag_bytes", "position", "reads", "why",
    ]  # fmt: skip
    monkeypatch.setattr(doctor, "lag_warnings", lambda _sets, _config: [warning])
    *_, finding = [each for each in found("servers") if each["verdict"] == "wrong"]
    assert (finding["text"], finding["remedy"]) == tuple(warning)


@pytest.mark.parametrize("lacks_privilege", [True, False])
def test_a_privilege_is_named_where_it_is_what_lacks(monkeypatch: pytest.MonkeyPatch, lacks_privilege: bool) -> None:
    mode = survey.Description(why_not=f"{WHY} 'default'", silent="default-1", lacks_privilege=lacks_privilege)
    monkeypatch.setattr(doctor, "describe", lambda *_args, **_options: mode)
    grants = {"default": doctor.Privileges("GRANT ONE"), "default-1": doctor.Privileges("GRANT TWO")}
    monkeypatch.setattr(doctor, "_is_file", lambda _server: False)
    monkeypatch.setattr(doctor, "_privileges", grants.get)
    monkeypatch.setattr(doctor, "_identities", lambda *_: ())
    monkeypatch.setattr(doctor, "_poolers", lambda *_args, **_options: ())
    with override_settings(PINDB_CONSISTENCY="position"):
        said = said_of(monkeypatch, answer=Report(lag=0.0))
    assert any("Type GRANT TWO; there." in text for _, text in said) is lacks_privilege
    assert any("Take PINDB_CONSISTENCY out" in text for _, text in said) is not lacks_privilege


class RefusalError(Exception):
    """An error of a driver."""

    def __init__(self, message: str, sqlstate: str | None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(("sqlstate", "told"), [("42501", False), ("08006", True), (None, True)])
def test_a_pooler_that_a_role_may_not_ask_is_not_told(
    monkeypatch: pytest.MonkeyPatch, sqlstate: str | None, told: bool
) -> None:
    def servers_behind(alias: str) -> frozenset[str]:
        raise RefusalError(WHY, sqlstate)

    monkeypatch.setattr(doctor, "servers_behind", servers_behind)
    monkeypatch.setattr(doctor, "_is_file", lambda _server: False)
    monkeypatch.setattr(doctor, "_privileges", lambda _alias: None)
    monkeypatch.setattr(doctor, "_identities", lambda *_: ())
    said = said_of(monkeypatch, answer=Report(lag=0.0))
    assert any("Whether a pooler spreads" in text for _, text in said) is told
