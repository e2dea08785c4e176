"""DB sets: `populate_replicas`, and which set an alias belongs to."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

import pindb
from pindb import PinDbConfigError
from pindb.config.database_sets import current_config
from tests.shop.models import Order

MASTERS: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "master",
        "PORT": 5432,
        "ATOMIC_REQUESTS": True,
        "OPTIONS": {"sslmode": "require", "pool": {"min_size": 1}},
        "TEST": {"NAME": "test_shop", "CHARSET": "UTF8"},
    },
    "audit": {"ENGINE": "django.db.backends.postgresql", "HOST": "audit"},
}
SETS: dict[str, list[dict[str, Any]]] = {
    "default": [{"HOST": "r1"}, {"HOST": "r2", "OPTIONS": {"pool": {"max_size": 9}}, "ATOMIC_REQUESTS": True}],
    "audit": [],
}


def test_replicas_are_numbered_from_one() -> None:
    assert list(pindb.populate_replicas(MASTERS, SETS)) == ["default", "default-1", "default-2", "audit"]


def test_a_replica_is_its_master_with_the_override_merged_in_key_by_key() -> None:
    replica = pindb.populate_replicas(MASTERS, SETS)["default-2"]
    assert replica["HOST"] == "r2"
    assert replica["PORT"] == 5432
    assert replica["OPTIONS"] == {"sslmode": "require", "pool": {"min_size": 1, "max_size": 9}}
    assert replica["TEST"] == {"NAME": "test_shop", "CHARSET": "UTF8", "MIRROR": "default"}


def test_a_replica_keeps_the_alias_that_its_entry_names_and_the_others_keep_their_numbers() -> None:
    sets = {"default": [{"HOST": "r1"}, {"HOST": "r2", "ALIAS": "reports"}, {"HOST": "r3"}], "audit": []}
    databases = pindb.populate_replicas(MASTERS, sets)
    assert list(databases) == ["default", "default-1", "reports", "default-3", "audit"]
    assert databases["reports"]["HOST"] == "r2"
    assert databases["reports"]["TEST"]["MIRROR"] == "default"
    assert "ALIAS" not in databases["reports"], "Django has no such setting"
    assert sets["default"][1]["ALIAS"] == "reports"


ALIASES = {"default": [{"ALIAS": "replica-a"}, {"ALIAS": "replica-b"}], "audit": []}


@override_settings(DATABASE_SETS=ALIASES, PINDB_DELEGATE_ROUTERS=[])
def test_an_alias_of_ones_own_is_an_alias_of_its_db_set() -> None:
    assert current_config().find("replica-b") is current_config().find("default")
    router = pindb.GreedyPinDbRouter()
    chosen = set()
    for _ in range(2):
        with pindb.pinning_context():
            chosen.add(router.db_for_read(Order))
            assert pindb.get_replica("replica-a") == router.db_for_read(Order)
    assert chosen == {"replica-a", "replica-b"}, "in turn"
    assert router.allow_migrate("replica-a", "shop") is False
    read_from_replica = Order()
    read_from_replica._state.db = "replica-a"
    assert router.db_for_write(Order, instance=read_from_replica) == "default"
    with pytest.raises(PinDbConfigError, match="Did you mean 'replica-a'"):
        pindb.pin("replica_a")


@pytest.mark.parametrize(
    ("alias", "says"),
    [
        ("", "'ALIAS'\\] is ''. Write"),
        ("*", "Write a string"),
        ("default", "Write a string"),
        (7, "is 7"),
        (None, "is None"),
        (["a"], "is \\['a'\\]"),
        ("audit", "'audit' is used twice, for the master of 'audit' and for a replica of 'default'.*another ALIAS"),
        ("default-2", "'default-2' is used twice, for two replicas of 'default'.*another ALIAS"),
        ("audit-1", "'audit-1' is used twice, for a replica of 'default' and for a replica of 'audit'"),
    ],
)
def test_an_alias_that_cannot_be_used_says_what_to_type(alias: Any, says: str) -> None:
    sets = {"default": [{"ALIAS": alias}, {}], "audit": [{}]}
    with pytest.raises(PinDbConfigError, match=says):
        pindb.populate_replicas(MASTERS, sets)


def test_replicas_never_open_a_transaction_for_a_request() -> None:
    databases = pindb.populate_replicas(MASTERS, SETS)
    assert databases["default"]["ATOMIC_REQUESTS"] is True
    assert databases["default-1"]["ATOMIC_REQUESTS"] is databases["default-2"]["ATOMIC_REQUESTS"] is False


def test_inputs_are_not_modified_and_nothing_is_shared() -> None:
    masters, sets = copy.deepcopy(MASTERS), copy.deepcopy(SETS)
    databases = pindb.populate_replicas(masters, sets)
    for database in databases.values():
        database.setdefault("OPTIONS", {})["changed"] = True
        database.setdefault("TEST", {})["changed"] = True
        database["OPTIONS"].setdefault("pool", {})["changed"] = True
    assert (masters, sets) == (MASTERS, SETS)
    again = pindb.populate_replicas(masters, sets)
    assert "changed" not in again["default"]["OPTIONS"]["pool"]


def test_a_setting_that_cannot_be_copied_is_passed_on_as_it_is() -> None:
    context = object()
    masters = {"default": {"OPTIONS": {"ssl": context, "list": [{"a": 1}], "set": {1}}}}
    databases = pindb.populate_replicas(masters, {"default": [{}]})
    assert databases["default-1"]["OPTIONS"]["ssl"] is context
    assert databases["default-1"]["OPTIONS"]["list"] is not databases["default"]["OPTIONS"]["list"]


def test_a_test_setting_of_none_is_no_obstacle() -> None:
    assert pindb.populate_replicas({"default": {"TEST": None}}, {"default": [{}]})["default-1"]["TEST"] == {
        "MIRROR": "default"
    }


@pytest.mark.parametrize(
    ("masters", "sets", "options", "says"),
    [
        ({"users": {}}, {"users": []}, {}, 'no "default".*unmanaged_default=True'),
        ({"default": {}, "users": {}}, {"default": []}, {}, "MASTER_DATABASES has 'users'.*Add \"users\": \\[\\]"),
        ({"default": {}}, {"default": [], "defualt": []}, {}, "DATABASE_SETS has 'defualt'.*Did you mean 'default'"),
        (
            {"default": {}, "default-1": {}},
            {"default": [{}], "default-1": []},
            {},
            "'default-1' is used twice.*rename one of the masters",
        ),
        ({"default": {}}, {"default": {"HOST": "r"}}, {}, 'DATABASE_SETS\\["default"\\] is .* Write a list'),
        ({"default": {}}, {"default": ["replica"]}, {}, "Write a list with a dict for each replica"),
        ({"default": "postgres://"}, {"default": []}, {}, 'MASTER_DATABASES\\["default"\\] is .* Write a dict'),
        ({"default": {}}, {"default": [{"TEST": "x"}]}, {}, "\\[0\\]\\[\"TEST\"\\] is 'x'. Write a dict, e.g."),
        ({"default": {}}, {"default": [{}, {"OPTIONS": []}]}, {}, '\\[1\\]\\["OPTIONS"\\] is \\[\\]. Write a dict'),
        ({"default": {"TEST": "x"}}, {"default": [{}]}, {}, 'MASTER_DATABASES\\["default"\\]\\["TEST"\\] is \'x\''),
        ([], {}, {}, "MASTER_DATABASES is \\[\\], not a dict"),
        ({"default": {}}, None, {}, "DATABASE_SETS is missing"),
        ({"*": {}}, {}, {}, "the key '\\*'"),
        ({"users": {}}, {"users": []}, {"default": "user"}, "names no master. Did you mean 'users'"),
        ({"default": {}}, {"default": []}, {"default": "default"}, "one of them has to go"),
        ({"users": {}}, {"users": []}, {"default": "users", "unmanaged_default": True}, "one of them has to go"),
        ({"default": {}}, {"default": []}, {"unmanaged_default": True}, "take out one of them"),
    ],
)
def test_settings_that_do_not_fit_say_what_to_type(masters: Any, sets: Any, options: Any, says: str) -> None:
    with pytest.raises(PinDbConfigError, match=says):
        pindb.populate_replicas(masters, sets, **options)


def test_configuration_errors_are_value_errors_of_ours() -> None:
    assert issubclass(PinDbConfigError, ValueError)
    assert issubclass(PinDbConfigError, pindb.PinDbException)
    assert issubclass(pindb.UnpinnedWriteException, pindb.PinDbException)


def test_an_unmanaged_default_is_allowed_on_purpose() -> None:
    databases = pindb.populate_replicas({"users": {}}, {"users": [{}]}, unmanaged_default=True)
    assert list(databases) == ["users", "users-1"]


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_a_master_can_have_default_as_its_second_name() -> None:
    databases = pindb.populate_replicas({"users": {"HOST": "u"}}, {"users": [{}]}, default="users")
    assert databases["default"]["HOST"] == "u"
    assert "TEST" not in databases["default"], "a mirror of a master is the real database in a test of default only"
    with override_settings(
        MASTER_DATABASES={"users": {}}, DATABASE_SETS={"users": [{}]}, DATABASES=databases, PINDB_DELEGATE_ROUTERS=[]
    ):
        router = pindb.GreedyPinDbRouter()
        assert router.db_for_read(Order) == "users-1"
        pindb.pin("default")
        assert pindb.is_pinned("users")
        assert pindb.get_pinned() == {"users"}
        assert router.db_for_read(Order) == "default", "the name asked for, so that atomic() covers it"
        read_from_replica = Order()
        read_from_replica._state.db = "users-1"
        assert router.db_for_write(Order, instance=read_from_replica) == "default", "where atomic() is"
        read_from_replica._state.db = "users"
        assert router.db_for_write(Order, instance=read_from_replica) == "users"
        assert router.allow_migrate("default", "shop") is None
        assert router.allow_migrate("users-1", "shop") is False


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
@override_settings(
    MASTER_DATABASES={"users": {}},
    DATABASE_SETS={"users": [{}]},
    DATABASES=pindb.populate_replicas({"users": {}}, {"users": [{}]}, default="users"),
    PINDB_DELEGATE_ROUTERS=[],
    PINDB_SEPARATE_PINS=["shop.Order"],
)
@pytest.mark.parametrize("name", ["users.shop", "default.shop"])
def test_separate_pins_have_the_second_name_too(name: str) -> None:
    router = pindb.GreedyPinDbRouter()
    assert router.db_for_read(Order) == "users-1"
    pindb.pin(name)
    assert pindb.is_pinned("users.shop")
    assert pindb.is_pinned("default.shop")
    assert not pindb.is_pinned("users")
    assert router.db_for_read(Order) == "default"


RUNNER = """
import pindb
from django.conf import settings
MASTERS = {"users": {"ENGINE": "django.db.backends.sqlite3", "NAME": "real.sqlite3"}}
SETS = {"users": [{}]}
settings.configure(
    MASTER_DATABASES=MASTERS, DATABASE_SETS=SETS, DATABASES=pindb.populate_replicas(MASTERS, SETS, default="users"),
    DATABASE_ROUTERS=["pindb.GreedyPinDbRouter"],
)
import django
django.setup()
from django.db import connections
from django.test.runner import DiscoverRunner
DiscoverRunner(verbosity=0).setup_databases(aliases={"default"})
print(connections["default"].settings_dict["NAME"])
"""


def test_a_test_that_asks_for_default_is_not_given_the_real_database(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", RUNNER], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "memorydb_default" in done.stdout, done.stderr
    assert not (tmp_path / "real.sqlite3").exists()


def test_every_alias_of_a_set_finds_it_and_an_unmanaged_one_finds_none() -> None:
    current = current_config()
    assert current.find("default-2") is current.find("default")
    assert current.find("legacy") is None


@pytest.mark.parametrize("alias", ["defualt", "default-9", "", None, 1])
def test_an_alias_that_does_not_exist_is_an_error_that_names_the_nearest(alias: Any) -> None:
    with pytest.raises(PinDbConfigError, match="is not a database alias"):
        pindb.pin(alias)
    with pytest.raises(PinDbConfigError, match="Did you mean 'default'"):
        pindb.is_pinned("defaut")


@override_settings(PINDB_SEPARATE_PINS=["shop.Order"], PINDB_MASTER_ONLY=["shop.Invoice"])
def test_a_name_of_separate_pins_that_does_not_exist_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(PinDbConfigError, match=r"Did you mean 'default\.shop'"):
        pindb.pin("default.shopp")
    with pytest.raises(PinDbConfigError, match="is not a database alias"):
        pindb.pin(current_config().keys["shop_invoice"]["default"])


@pytest.mark.parametrize("missing", ["MASTER_DATABASES", "DATABASE_SETS"])
@pytest.mark.parametrize("router", [pindb.GreedyPinDbRouter, pindb.StrictPinDbRouter])
def test_a_router_is_not_built_without_the_required_settings(missing: str, router: type) -> None:
    with (
        override_settings(**{missing: None, "DATABASE_ROUTERS": []}),
        pytest.raises(PinDbConfigError, match=f"{missing} is missing"),
    ):
        router()


EARLY = """
import pindb
from django.conf import settings
MASTERS = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
SETS = {"default": [{}]}
settings.configure(
    MASTER_DATABASES=MASTERS, DATABASE_SETS=SETS, DATABASES=pindb.populate_replicas(MASTERS, SETS),
    DATABASE_ROUTERS=["pindb.GreedyPinDbRouter"], INSTALLED_APPS=["pindb", "django.contrib.sessions"],
)
pindb.pinned("default")(print)  # as a module with tasks that Django loads
import django
django.setup()
from django.contrib.sessions.models import Session
from django.db import router
pindb.pin("default.sessions")
print(router.db_for_read(Session))
"""


def test_a_config_that_was_read_before_the_models_is_read_again(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", EARLY], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["default"], done.stdout + done.stderr
