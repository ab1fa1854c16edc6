PYTHON ?= python3
PY := venv/bin/python
STACK ?=
APP ?=
JSON ?=
# A file stays with one worker: its tests share what they have made. For two cores: most tests of the
# longer tiers wait for servers, the others compute.
PARALLEL := --dist loadfile --no-loadscope-reorder -n
# What only looks or ends something goes with the venv that is there, also without a network.
INSTALLED := $(if $(wildcard venv/.stamp),,venv/.stamp)

# Environments that set this, as many containers do, would pay for every import of every process anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help up preview render sql backup-now restore-drill down status test test-cluster test-further test-long test-fast lint bench

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

up: venv/.stamp ## Deploy a stack (STACK=dev): to this machine, or to the cluster it names
	@$(PY) -m local up $(if $(STACK),--stack $(STACK))

preview: venv/.stamp ## Show what `make up` would change
	@$(PY) -m local preview $(if $(STACK),--stack $(STACK))

render: venv/.stamp ## Write a stack's objects as YAML, without secrets and without a cluster
	@$(PY) -m render $(or $(STACK),dev)

sql: venv/.stamp ## A SQL shell on a deployed stack (STACK=..., APP=...; else root or the first app)
	@$(PY) -m local sql $(if $(STACK),--stack $(STACK)) $(if $(APP),--app $(APP))

backup-now: venv/.stamp ## Back up the databases of a deployed stack now (STACK=...)
	@$(PY) -m local backup $(if $(STACK),--stack $(STACK))

restore-drill: venv/.stamp ## Restore their newest backups into scratch servers and look at every table
	@$(PY) -m local drill $(if $(STACK),--stack $(STACK))

down: $(INSTALLED) ## Destroy all local stacks (or STACK=...), stop everything, remove the state
	@$(PY) -m local down $(if $(STACK),--stack $(STACK))

status: $(INSTALLED) ## What runs here; with STACK=... the state of a deployed stack's databases (JSON=1)
	@$(PY) -m local status $(if $(STACK),--stack $(STACK)) $(if $(JSON),--json)

test: lint ## Lint and every test but those on real nodes and on further stacks
	@$(PY) -m local build
	$(PY) -m pytest -m "not cluster and not further" $(PARALLEL) 4

test-further: venv/.stamp ## What `make test` shows on one stack, on others
	@$(PY) -m local build
	$(PY) -m pytest -m further $(PARALLEL) 2 tests/engine

test-cluster: venv/.stamp ## The tests on real nodes, without the long ones
	@$(PY) -m local build
	$(PY) -m pytest -m "cluster and not long" tests/cluster

test-long: venv/.stamp ## Every mutant of a config, and the scenarios on real nodes that take minutes each
	@$(PY) -m local build
	MUTANTS=all $(PY) -m pytest tests/program/test_mutants.py tests/engine/test_mutants.py
	$(PY) -m pytest -m long tests/cluster

test-fast: venv/.stamp ## The tests that need no engine and no server, without the broad ones
	$(PY) -m pytest -m "not broad" $(PARALLEL) 3 tests/unit tests/local tests/program tests/schema

lint: venv/.stamp ## ruff, pyright, the directions of imports, what the docs are made of
	venv/bin/ruff check .
	venv/bin/ruff format --check .
	venv/bin/pyright
	venv/bin/lint-imports --no-logo --no-cache
	$(PY) -m tools.tables --check
	$(PY) -m tools.topology --check
	$(PY) -m tools.dashboard --check

bench: venv/.stamp ## Figures for docs/performance.md
	$(PY) -m bench
	$(PY) -m tools.tables

venv/.stamp: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
	  || { echo "This Python cannot make a venv: install python3-venv (Debian, Ubuntu)"; exit 1; }
	@echo "venv: installing requirements-dev.txt…"
	@$(PYTHON) -m venv venv
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
