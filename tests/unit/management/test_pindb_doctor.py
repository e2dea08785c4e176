"""`manage.py pindb_doctor` on files: the settings, the web, cookies, queues and tables; its output and exit status."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import dramatiq
import dramatiq.broker
import pytest
from celery import Celery
from celery._state import _deregister_app
from django.core.management import CommandError, call_command
from django.core.signing import Signer
from django.test import override_settings
from dramatiq.brokers.stub import StubBroker
from dramatiq.results import Results
from dramatiq.results.backends import StubBackend

import pindb
import pindb_celery
import pindb_dramatiq
from pindb.config.database_sets import current_config
from pindb.config.settings import Settings
from pindb.core import codec
from pindb.core.pins import PinnedPosition, PinSet
from pindb.management.doctor import clocks, probes, queues
from pindb.management.doctor.findings import Verdict
from pindb.servers.probe import ClockReading
from pindb.web import cookie
from pindb_celery.installed import installed

Findings = list[dict[str, str]]


def run(*arguments: str) -> tuple[str, int]:
    """Return what the command prints, and its exit status."""
    out = io.StringIO()
    try:
        call_command("pindb_doctor", *arguments, stdout=out, no_color=True)
    except SystemExit as end:
        return out.getvalue(), int(end.code or 0)
    return out.getvalue(), 0


def found(section: str, *arguments: str) -> Findings:
    """Return what it finds in a section."""
    text, status = run("--json", *arguments)
    document: dict[str, Any] = json.loads(text)
    verdicts = {finding["verdict"] for findings in document["sections"].values() for finding in findings}
    assert document["status"] == status == int("wrong" in verdicts)
    findings: Findings = document["sections"][section]
    assert all(finding["remedy"] for finding in findings if finding["verdict"] != "ok"), "each with what to type"
    return findings


def texts(findings: Iterable[dict[str, str]], verdict: str) -> list[str]:
    return [f"{finding['text']} {finding['remedy']}" for finding in findings if finding["verdict"] == verdict]


@pytest.fixture(autouse=True)
def apps(monkeypatch: pytest.MonkeyPatch) -> list[Celery]:
    """The Celery apps that are loaded: none, unless a test makes one. Nor has Dramatiq a broker."""
    made: list[Celery] = []
    for module in ("loaded", "checks"):
        monkeypatch.setattr(f"pindb.adapters.{module}.celery_apps", lambda: made)
    of_made = lambda: [app for app in made if app in installed]  # noqa: E731 - and not those of other tests
    monkeypatch.setattr("pindb.adapters.loaded.celery_apps_with_pindb", of_made)
    monkeypatch.setitem(sys.modules, "pindb_celery.install", SimpleNamespace(installed=set()))
    monkeypatch.setattr(dramatiq.broker, "global_broker", None)
    return made


@contextmanager
def celery_app(name: str, **options: Any) -> Iterator[Celery]:
    app = Celery(name, **{"broker": "memory://", "set_as_current": False, **options})
    try:
        yield app
    finally:
        pindb_celery.uninstall(app)
        app.close()
        _deregister_app(app)


def test_a_healthy_site_is_told_so_section_by_section() -> None:
    text, status = run()
    assert status == 0, text
    headings = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == ["settings:", "web:", "queues:", "servers:", "clocks:"]
    assert "  ok      The replica 'default-1' is a file.\n" in text
    assert "  ok      PinDbMiddleware is the first of 2 in MIDDLEWARE.\n" in text
    *_, last = text.splitlines()
    assert last.startswith("0 wrong, 0 unwise, ")
    assert text.count("  ok      ") == int(last.split()[-2])


def test_what_is_unwise_alone_is_no_failure() -> None:
    with override_settings(PINDB_MODE="shadow"):
        text, status = run()
    assert status == 0
    assert "  unwise  Reads from replicas: shadow, says the settings. Take PINDB_MODE" in text
    with override_settings(PINDB_ENABLED=False):
        (unwise,) = texts(found("settings"), "unwise")
    assert unwise.startswith("PINDB_ENABLED is False")


def test_system_checks_speak_for_themselves_once() -> None:
    with override_settings(MIDDLEWARE=["django.middleware.common.CommonMiddleware"], PINDB_PINING_SECONDS=3):
        text, status = run()
    assert status == 1, "without the middleware reads may be stale"
    assert "  wrong   (pindb.W002) PinDbMiddleware is not in MIDDLEWARE" in text
    assert "  unwise  (pindb.W001) PINDB_PINING_SECONDS is not a setting of pindb. Did you mean" in text
    assert text.count("PinDbMiddleware is") == 1


def test_the_mode_of_a_db_set_is_said_by_its_servers_alone() -> None:
    with override_settings(PINDB_CONSISTENCY="position"):
        text, _ = run()
    assert "pindb.I003" not in text
    assert text.count("The DB set 'default' runs in time mode, not in position mode: ") == 1


def test_a_silenced_check_stays_silent() -> None:
    with override_settings(PINDB_PINING_SECONDS=3, SILENCED_SYSTEM_CHECKS=["pindb.W001", "pindb.I005"]):
        assert texts(found("settings"), "unwise") == []


def test_settings_that_do_not_hold_together_end_it_after_the_first_section() -> None:
    with override_settings(DATABASE_SETS={}):
        text, status = run()
    assert status == 1
    assert "  wrong   (pindb.E001) MASTER_DATABASES has " in text
    assert "web:" not in text


def test_an_alias_that_is_missing_is_said_by_the_check_and_does_not_stop_it() -> None:
    with override_settings(MASTER_DATABASES={"ghost": {}}, DATABASE_SETS={"ghost": [{}]}):
        text, status = run()
    assert status == 1
    assert "(pindb.E002) DATABASES lacks 'ghost', 'ghost-1'" in text
    assert text.count("ghost") < 6
    assert "could not look" not in text


def test_a_module_or_views_that_cannot_be_imported_are_findings() -> None:
    with override_settings(ROOT_URLCONF="tests.shop.nowhere"):
        (views,) = texts(found("web"), "wrong")
    assert views.startswith("The views cannot be imported: ModuleNotFoundError: No module named 'tests.shop.nowhere'.")
    (module,) = texts(found("settings", "--import", "tests.shop.nowhere"), "wrong")
    assert module.startswith("'tests.shop.nowhere' cannot be imported: ModuleNotFoundError")


def test_a_section_that_raises_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: object) -> Any:
        raise ZeroDivisionError("by accident")

    monkeypatch.setattr(queues, "_tables", raises)
    (wrong,) = texts(found("queues"), "wrong")
    assert "could not look at the rest of this: ZeroDivisionError: by accident" in wrong
    assert found("servers"), "the others are looked at"


def test_a_timeout_that_is_none_is_refused() -> None:
    with pytest.raises(CommandError, match="over 0"):
        run("--timeout", "0")


# Cookies


KEY, OLD = "the key of this site, long enough", "the key it had before, long enough"


@pytest.fixture
def value() -> str:
    """A cookie that pins "default" for 10 s more."""
    with override_settings(SECRET_KEY=KEY):
        return cookie.SIGNED.sign(codec.encode(PinSet({"default": time.time() + 10})))


def said(value: str, **settings: Any) -> tuple[str, str]:
    """Return the verdict and text of the one finding about a cookie."""
    with override_settings(**{"SECRET_KEY": KEY, **settings}):
        (finding,) = found("cookie", "--cookie", value)
    return finding["verdict"], finding["text"]


@pytest.mark.parametrize(
    "form", ["{}", "pindb_pinned_set={}", "pindb_pinned_set.0a1b2c3d={}; Path=/; HttpOnly", '"{}"']
)
def test_a_cookie_of_this_site_is_read_however_it_is_copied(value: str, form: str) -> None:
    verdict, text = said(form.format(value))
    assert verdict == "ok"
    assert text.startswith("This process can read the cookie, which SECRET_KEY has signed. It pins 'default' for ")
    assert said(form.format(quote(value)))[0] == "ok"


def test_a_cookie_of_another_key_is_told_with_what_it_holds(value: str) -> None:
    verdict, text = said(value, SECRET_KEY=OLD, SECRET_KEY_FALLBACKS=["one more key that does not fit"])
    assert verdict == "wrong"
    assert text.startswith("Another key has signed the cookie than those of this process (")
    assert "If it is genuine, it pins 'default' for " in text
    with override_settings(SECRET_KEY=OLD):
        fingerprint = found("web")[1]["text"].split("fingerprint ")[1][:8]
    assert f"({fingerprint}, " in text
    assert OLD not in text


def test_a_cookie_of_a_fallback_is_read_and_told(value: str) -> None:
    verdict, text = said(value, SECRET_KEY=OLD, SECRET_KEY_FALLBACKS=[KEY])
    assert verdict == "ok"
    assert "which SECRET_KEY_FALLBACKS[0] has signed" in text


def test_a_token_is_told_from_a_cookie() -> None:
    with override_settings(SECRET_KEY=KEY), pindb.pinning_context():
        pindb.pin("audit")
        token = pindb.token()
    assert "This process can read the token, which SECRET_KEY has signed. It pins 'audit' for 1" in said(token)[1]


def test_a_cookie_that_is_damaged_cut_or_something_else_is_told(value: str) -> None:
    assert "is no cookie of pindb: it has no signature" in said("hello")[1]
    assert "is no cookie of pindb" in said(value.partition(":")[0])[1]
    assert "damaged or cut off" in said(value[5:])[1]
    assert "damaged or cut off" in said("abc:def")[1]
    assert "characters, which none of pindb's has" in said(value * 50)[1]


def signed(text: str) -> str:
    return Signer(key=KEY, salt=cookie.SALT).sign_object(text)


def test_what_a_cookie_holds_is_told() -> None:
    now = time.time()
    assert "lapsed 40." in said(signed(codec.encode(PinSet({"default": now - 40}))))[1]
    assert said(signed(codec.encode(PinSet())))[1].endswith("It pins nothing.")
    assert "every DB set for" in said(signed(codec.encode(PinSet({"*": now + 10}))))[1]
    position = PinSet({}, {"default": (PinnedPosition("pA.1", 0x5F, now + 100),)})
    assert "It pins 'default' until a replica has pA.1:5f, at most 1" in said(signed(codec.encode(position)))[1]
    verdict, text = said(signed("2;default=1763880015123"))
    assert (verdict, "A newer pindb has written the cookie" in text) == ("unwise", True)
    verdict, text = said(signed("1;nonsense"))
    assert (verdict, "cannot be read" in text) == ("unwise", True)


def test_a_db_set_that_this_process_does_not_know_is_told() -> None:
    with override_settings(SECRET_KEY=KEY):
        read, unknown = found("cookie", "--cookie", signed(codec.encode(PinSet({"stock": time.time() + 10}))))
    assert (read["verdict"], unknown["verdict"]) == ("ok", "unwise")
    assert "pins 'stock', which this process does not know" in unknown["text"]


# Clocks


@pytest.mark.parametrize(
    ("ahead", "error", "verdict"),
    [
        (0.0, 0.001, Verdict.OK),
        (1.4, 0.0, Verdict.OK),
        (1.6, 0.0, Verdict.UNWISE),
        (-1.6, 0.0, Verdict.UNWISE),
        (1.6, 0.2, Verdict.OK),
        (14.9, 0.0, Verdict.UNWISE),
        (15.0, 0.0, Verdict.WRONG),
        (-3600.0, 0.5, Verdict.WRONG),
    ],
)
def test_a_clock_is_judged_by_the_pinning_time(ahead: float, error: float, verdict: Verdict) -> None:
    finding = clocks.compared("the server of 'default'", ClockReading(ahead, error), Settings(pinning_seconds=15))
    assert finding.verdict is verdict
    assert f"{abs(ahead):.3f} s (give or take {error:.3f} s) {'behind' if ahead < 0 else 'ahead of'}" in finding.text


def test_two_servers_clocks_are_judged_by_the_lag_that_they_measure() -> None:
    def judged(master: float, replica: float) -> int:
        readings = ClockReading(master, 0.01), ClockReading(replica, 0.01)
        return len(list(clocks.lag_compared("x", readings[0], "x-1", readings[1], 10.0)))

    assert (judged(0, 4.9), judged(-2, 3.1), judged(5.1, 0)) == (0, 1, 1)


def test_a_reading_lies_between_the_two_looks_at_this_machines_clock() -> None:
    assert ClockReading.between(100.0, 107.0, 102.0) == (6.0, 1.0)


# Queues


def test_a_process_without_a_queue_says_so() -> None:
    assert found("queues")[0]["text"] == "This process has loaded no Celery app and no Dramatiq broker."


def test_an_app_without_pindb_beside_one_with_it_is_wrong(apps: list[Celery]) -> None:
    with celery_app("carrying") as carrying, celery_app("bare") as bare:
        pindb_celery.install(carrying)
        apps += [bare, carrying]
        findings = found("queues")
    (wrong,) = texts(findings, "wrong")
    assert wrong.startswith("Messages of the Celery app 'bare' carry no pins")
    assert "pindb_celery.install(app)" in wrong
    assert "Messages of the Celery app 'carrying' carry pins. " in texts(findings, "ok")


def test_an_app_alone_without_pindb_is_told_by_the_check(apps: list[Celery]) -> None:
    with celery_app("bare") as bare:
        apps.append(bare)
        assert [finding["id"] for finding in found("settings")] == ["pindb.W023"]
        assert texts(found("queues"), "wrong") == []


def test_a_broker_that_does_not_answer_or_cannot_be_used_is_wrong(apps: list[Celery]) -> None:
    with celery_app("away", broker="redis://127.0.0.1:1/0") as away, celery_app("odd", broker="no-such://x") as odd:
        apps += [away, odd]
        one, other = texts(found("queues", "--timeout", "3"), "wrong")
    assert one.startswith("The broker of the Celery app 'away' does not answer: ")
    assert other.startswith("The broker of the Celery app 'odd' does not answer: KeyError")


def test_dramatiq_without_the_middleware_is_wrong_and_with_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = StubBroker()
    monkeypatch.setattr(dramatiq.broker, "global_broker", broker)
    assert [finding["id"] for finding in found("settings")] == ["pindb_dramatiq.W001"]
    assert run()[1] == 1
    pindb_dramatiq.install(broker)
    assert {finding["verdict"] for finding in found("settings")} == {"ok"}
    assert "Messages of Dramatiq's StubBroker carry pins. " in texts(found("queues"), "ok")


def sent() -> list[str]:
    return [finding["text"] for finding in found("pins on their way", "--send", "--timeout", "0.5")]


def test_nothing_is_sent_where_no_answer_could_be_seen(apps: list[Celery], monkeypatch: pytest.MonkeyPatch) -> None:
    assert sent() == ["Nothing was sent: this process has no Celery app with pindb, and no Dramatiq broker."]
    with override_settings(PINDB_ENABLED=False):
        assert "PINDB_ENABLED is False" in sent()[0]
    with celery_app("eager", backend="cache+memory://") as app:
        app.conf.task_always_eager = True
        pindb_celery.install(app)
        apps.append(app)
        assert "task_always_eager" in sent()[0]
        apps.clear()
    broker = StubBroker()
    monkeypatch.setattr(dramatiq.broker, "global_broker", broker)
    assert "without the middleware Results" in sent()[0]
    broker.add_middleware(Results(backend=StubBackend()))
    assert "has loaded no actor, and knows no queue" in sent()[0]


def test_a_worker_that_does_not_answer_is_told(apps: list[Celery]) -> None:
    with celery_app("alone", backend="cache+memory://") as app:
        pindb_celery.install(app)
        apps.append(app)
        assert sent() == ["No worker of the queue 'celery' of the Celery app 'alone' answered."]
    with celery_app("mute", broker="memory://mute") as app:
        pindb_celery.install(app)
        apps[:] = [app]
        assert sent() == ["No worker of the Celery app 'mute' answered."]


def test_pins_that_a_worker_has_not_got_are_wrong() -> None:
    config = current_config()
    heard = {"pinned": ["audit", "default"], "sets": ["audit", "default"], "enabled": True, "clock": 100.5}

    def judged(**changed: Any) -> list[str]:
        answer = probes.Answer({**heard, **changed}, 100.0, 101.0)
        return [str(finding) for finding in probes._judged("the queue 'q'", answer, config)]

    travelled, clock = judged()
    assert travelled == "A pin has travelled to a worker of the queue 'q', in 1.00 s there and back."
    assert clock.startswith("The clock of a worker of the queue 'q' is 0.000 s (give or take 0.500 s)")
    assert judged(pinned=["audit"])[0].startswith("Pins of default have not travelled to a worker of the queue 'q'.")
    assert judged(sets=["audit"])[0].startswith("A worker of the queue 'q' does not know the DB sets default")
    assert judged(enabled=False, pinned=[])[0].startswith("A worker of the queue 'q' has PINDB_ENABLED = False.")
    assert "Between two machines so far apart" in judged(clock=160.5)[1]


# Tables


def test_queue_tables_on_the_master_are_fine_and_on_replicas_are_not() -> None:
    assert "The tables of queues are read on the master: django_celery_results. " in texts(found("queues"), "ok")
    with override_settings(PINDB_MASTER_ONLY=["axes"]):
        (wrong,) = texts(found("queues"), "wrong")
    assert wrong.startswith("django_celery_results.TaskResult and 2 more models of the queue 'django_celery_results'")
    assert 'add "django_celery_results" to it' in wrong
    with override_settings(PINDB_MASTER_ONLY=["axes"], DATABASE_SETS={"default": [], "audit": []}):
        assert texts(found("queues"), "wrong") == [], "no replica, no read on it"


def test_the_doctor_loads_no_queue() -> None:
    """It is imported where neither Celery nor Dramatiq is installed."""
    assert not {"celery", "dramatiq"} & set(vars(sys.modules["pindb.management.doctor.probes"]))
