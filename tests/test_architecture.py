"""The house rules that a test can hold: import direction, sizes, public names, and what the project does not need."""

from __future__ import annotations

import ast
import graphlib
import importlib
import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("pindb", "pindb_celery", "pindb_dramatiq")

FLOORS = [
    "exceptions", "interrupts", "event_loop", "lines", "once", "events", "config", "core", "servers", "routing", "api",
    "propagation", "adapters", "web", "monitoring", "signals", "leftovers", "checks", "apps", "management",
    "middleware", "catching_up", "", "contrib", "testing",
]  # fmt: skip
"""The packages and modules on the ground floor of pindb: each imports only from those before it. "" is the face.

Adapters for task queues and what tests are made of stand above it: they use public names."""

ROOMS = 8
"""How many rooms, packages or modules, a floor may have; on the ground floor files stand where Django wants them."""

ANNEXES = {"management", "monitoring", "contrib", "testing"}
"""Packages that stand beside the others: they use these, and nothing of pindb needs them."""


def package_dir(package: str) -> Path:
    """Return where the package is imported from: the checkout, or an installed wheel."""
    module = importlib.import_module(package)
    assert module.__file__
    return Path(module.__file__).parent


FILES = [path for package in PACKAGES for path in sorted(package_dir(package).rglob("*.py"))]


def module_name(path: Path) -> str:
    """Return the module's name inside pindb, with dots; that of a package for its `__init__`."""
    parts = path.relative_to(package_dir("pindb")).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Return the dotted names that a file imports, `from a import b` as a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: absolute imports only"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


MODULES = {module_name(path): path for path in FILES if package_dir("pindb") in path.parents}


def imports_of(module: str) -> set[str]:
    """Return the modules of pindb that `module` imports; of `from pindb.core.pins import Pin` it is core.pins."""
    names = {name.removeprefix("pindb.") for name in imported(MODULES[module]) if f"{name}.".startswith("pindb.")}
    known = [name for name in MODULES if name]
    return {max((name for name in known if f"{other}.".startswith(f"{name}.")), key=len, default="") for other in names}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str) -> None:
    floor = FLOORS.index(module.split(".", maxsplit=1)[0])
    for other in imports_of(module):
        assert FLOORS.index(other.split(".")[0]) <= floor, f"{module} imports {other}"


def test_no_module_imports_one_that_imports_it() -> None:
    graphlib.TopologicalSorter({module: imports_of(module) for module in MODULES}).prepare()


def test_a_floor_has_at_most_eight_rooms() -> None:
    packages = {name for name in MODULES if any(other.startswith(f"{name}.") for other in MODULES)}
    for package in packages - {""}:
        rooms = [name for name in MODULES if name.rpartition(".")[0] == package]
        assert len(rooms) <= ROOMS, (package, rooms)
    ground = {name for name in packages if name and "." not in name} - ANNEXES
    assert len(ground) <= ROOMS, ground


def in_package(*packages: str) -> list[str]:
    return [name for name in MODULES if name.split(".")[0] in packages]


def words_of(module: str) -> Iterator[str]:
    """Produce the names and strings in a module's code; docstrings and comments are no code."""
    tree = ast.parse(MODULES[module].read_text())
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value
        for name in ("id", "attr", "arg", "name"):
            if isinstance(word := getattr(node, name, None), str):
                yield word


@pytest.mark.parametrize("module", in_package("core"))
def test_wall_the_core_asks_no_server(module: str) -> None:
    reached = {name for name in imported(MODULES[module]) if name.startswith("django.db.")}
    assert "django.db.connections" not in reached or module == "core.transactions"


ASKING = ("servers.vendors.", "testing.servers.")
"""The pages of vendors, and the servers for tests."""


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith(ASKING)])
def test_wall_only_the_pages_of_vendors_contain_sql(module: str) -> None:
    sql = re.compile(r"\s*(/\*.*\*/)?\s*(SELECT|SHOW|INSERT|UPDATE|DELETE|WAIT|SET)\s+[A-Z@*a-z]", re.DOTALL)
    assert [word for word in words_of(module) if sql.match(word)] == []


@pytest.mark.parametrize("module", in_package("core", "servers", "routing", "api"))
def test_wall_nothing_below_propagation_knows_a_carrier(module: str) -> None:
    assert [word for word in words_of(module) if re.search("header|cookie|message", word, re.IGNORECASE)] == []


ADAPTERS = ("pindb_celery", "pindb_dramatiq")
FACES = ("pindb", "pindb.adapters")
"""The packages that an adapter may import from, and of these only the names in `__all__`."""


def public_names() -> set[str]:
    return {f"{face}.{name}" for face in FACES for name in importlib.import_module(face).__all__}


@pytest.mark.parametrize("package", ADAPTERS)
def test_adapters_use_only_public_names_of_the_core(package: str) -> None:
    public = public_names()
    for path in package_dir(package).rglob("*.py"):
        imports = {name for name in imported(path) if name.startswith("pindb.")}
        assert imports <= public, f"{path.name} imports {imports - public}"
        used = {
            f"{'pindb' if node.value.id == 'pindb' else 'pindb.adapters'}.{node.attr}"
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in {"pindb", "adapters"}
        }
        assert used <= public, f"{path.name} uses {used - public}"


CONTRIB = sorted((package_dir("pindb") / "contrib").glob("*.py"))


@pytest.mark.parametrize("path", CONTRIB, ids=lambda path: path.stem)
def test_adapters_of_contrib_use_the_kit_the_exceptions_and_each_other(path: Path) -> None:
    kit = {f"pindb.adapters.{name}" for name in importlib.import_module("pindb.adapters").__all__}
    allowed = {*kit, "pindb.PinDbException", "pindb.PinDbConfigError"}
    others = {name for name in imported(path) if name.startswith("pindb.contrib.")}
    assert {name for name in imported(path) if f"{name}.".startswith("pindb.")} - others <= allowed


@pytest.mark.parametrize("package", ADAPTERS)
def test_an_adapter_has_at_most_eight_rooms(package: str) -> None:
    rooms = [path.stem for path in package_dir(package).glob("*.py") if path.stem != "__init__"]
    assert len(rooms) <= ROOMS, rooms


def test_the_names_of_the_kit_are_sorted_and_there() -> None:
    kit = importlib.import_module("pindb.adapters")
    assert list(kit.__all__) == sorted(kit.__all__, key=lambda name: (not name.isupper(), name.islower(), name))
    assert all(hasattr(kit, name) for name in kit.__all__)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_has_one_job_named_in_its_docstring_and_at_most_300_lines(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), path
    assert len(text.splitlines()) <= 300


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_there_and_documented(package: str) -> None:
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name).__doc__
    assert (package_dir(package) / "py.typed").exists()


def test_django_is_the_only_hard_dependency() -> None:
    requirements = importlib.metadata.requires("pindb") or []
    assert [line for line in requirements if "extra ==" not in line] == ["django>=5.2"]
