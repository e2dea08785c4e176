# On a machine with Python 3.11+ and a package registry: `make demo` and `make test` need nothing else.
PYTHON ?= python3
VENV ?= .venv
# What to test against, e.g. AGAINST="django~=5.2.0 celery~=5.5.0"
AGAINST ?= django
# What the demo and the comparison enqueue with: celery or dramatiq.
QUEUE ?= celery
# What the comparison enqueues on: redis, or rabbitmq, which has to be installed.
BROKER ?= redis
# More options of the comparison, e.g. COMPARE="--tasks 50 --lags 20,2000".
COMPARE ?=
# METRICS=1: the demo prints what Prometheus would scrape.
METRICS ?=
# More options of the journeys, e.g. JOURNEYS="--details --lag 0.5".
JOURNEYS ?=
# More options of the histories, e.g. HISTORIES="--seed 7 --modes time,position,monotonic --controls", or "--memory 30".
HISTORIES ?=
# What to test: the checkout, or a wheel.
PINDB ?= -e .
# Only worlds and mutants of the model with these words in their names, e.g. MODEL="failover tabs".
MODEL ?=
# The same for mutants, e.g. MUTANTS="G4 G9".
MUTANTS ?=
# How long to simulate, and the first seed, e.g. SECONDS=600 SEED=1.
SECONDS ?= 60
SEED ?=
# How many processes test side by side: more than there are cores, for tests mostly wait.
PROCESSES ?= 4
# More options of pytest.
PYTEST ?=

BIN := $(VENV)/bin

.PHONY: help demo compare journeys histories test test-only model simulation mutants bench bench-position check format
.PHONY: docs linkcheck clean

help:
	@echo "make demo    the problem and the cure, measured on real servers (first run installs, then 1 to 2 minutes);"
	@echo "             make demo QUEUE=dramatiq: the same with Dramatiq; METRICS=1: with pindb's metrics"
	@echo "make compare pindb and what teams do without it, on the same servers at four lags (5 to 10 minutes);"
	@echo "             QUEUE=dramatiq and BROKER=rabbitmq as well; COMPARE=--write: into docs/comparison.md"
	@echo "make journeys  browsers read and shop on a site with lagging standbys: which share of the reads goes to replicas"
	@echo "make histories  a site under load is broken on purpose: every read is checked against what was written before it"
	@echo "make test    the whole test suite"
	@echo "make model   explores all interleavings of small worlds on the shipped code, and prints what it has explored"
	@echo "make simulation  random histories of a whole site for SECONDS=60; SEED=... tells the same ones again"
	@echo "make mutants changes one line of pindb at a time, in a copy, and prints which test notices it"
	@echo "make bench   what a routing decision and a statement cost; make bench-position: what position mode costs and brings"
	@echo "make docs    the documentation site, into build/docs; make linkcheck asks the sites that it links to"
	@echo "make check   formatter, linter, types; make format repairs what can be repaired; make clean"

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than 3.11. Type: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(AGAINST) $(PINDB)"[celery,dramatiq]" --group test
	@# Their metadata refuse the newest Celery and the newest Django, which they work with: with their dependencies they
	@# would keep these old. And django-tasks-rq wants a package whose module has the name of python-crontab's.
	$(BIN)/python -m pip install --quiet --no-deps "celery-batches>=0.10" "django-celery-beat>=2.9" "django-tasks-rq>=0.12"
	@touch $@

demo: $(VENV)/.installed
	@$(BIN)/python -m tests.demo --queue $(QUEUE) $(if $(METRICS),--metrics)

compare: $(VENV)/.installed
	@$(BIN)/python -m tests.compare --queue $(QUEUE) --broker $(BROKER) $(COMPARE)

journeys: $(VENV)/.installed
	@$(BIN)/python -m tests.journeys $(JOURNEYS)

histories: $(VENV)/.installed
	@$(BIN)/python -m tests.histories $(HISTORIES)

test: $(VENV)/.installed
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n $(PROCESSES) $(PYTEST)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

# The suite without coverage: what is tested is not this checkout's source but what is installed.
test-only: $(VENV)/.installed
	$(BIN)/python -m pytest -n $(PROCESSES) $(PYTEST)

model: $(VENV)/.installed
	@$(BIN)/python -m tests.model $(MODEL)

simulation: $(VENV)/.installed
	@PYTHONHASHSEED=0 $(BIN)/python -m tests.simulation --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

mutants: $(VENV)/.installed
	@$(BIN)/python -m tests.mutants $(MUTANTS)

bench: $(VENV)/.installed
	@$(BIN)/python -m tests.benchmarks.routing
	@$(BIN)/python -m tests.benchmarks.writes
	@$(BIN)/python -m tests.benchmarks.celery_cost
	@$(BIN)/python -m tests.benchmarks.dramatiq_cost

bench-position: $(VENV)/.installed
	@$(BIN)/python -m tests.benchmarks.position

$(VENV)/.gates: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group gates
	@touch $@

check: $(VENV)/.gates
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	@$(BIN)/python -m tests.documentation.blocks

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group docs
	@touch $@

SPHINX := $(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -d build/doctrees

# A warning is an error: a link that leads nowhere, a page that is in no menu, a docstring that cannot be shown.
docs: $(VENV)/.docs
	$(SPHINX) -b html docs build/docs
	@$(BIN)/python -m tests.documentation.site build/docs

linkcheck: $(VENV)/.docs
	$(SPHINX) -b linkcheck docs build/linkcheck

format: $(VENV)/.gates
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean:
	rm -rf .venv .venv-* dist build .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
