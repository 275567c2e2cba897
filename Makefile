# Every target sets up what it needs. System packages are installed only when one is missing,
# .venv only when pyproject.toml or constraints.txt is newer than it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# `su` without `-` leaves the daemons' folder out of root's PATH.
export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/sbin:/sbin

# The lab makes network namespaces. Where we are not root, nothing root writes may stay in the checkout.
ROOT := $(if $(filter-out 0,$(shell id -u)),sudo env "PATH=$$PATH" PYTHONDONTWRITEBYTECODE=1)
PYTEST := $(ROOT) .venv/bin/python -m pytest $(if $(ROOT),-p no:cacheprovider)
SOURCES = $(wildcard netctl agents/netctl_host agents/netctl_compute tests bench)
PROTOS = $(wildcard proto/netctl/v1/*.proto)

.PHONY: help setup packages venv guest demo down test unit functional e2e planted bench check proto check-proto clean

help: ## list these targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: packages venv guest ## install what is missing (Debian packages, .venv, .guest); every target below does so itself

packages:
	@.ci/setup packages

# A prerequisite of order only would hide an edited pyproject.toml; the stamp shows it.
venv: .venv/.stamp
	@:

.venv/.stamp: pyproject.toml constraints.txt
	@.ci/setup venv

guest: packages venv
	@.ci/setup guest

demo: setup ## bring up the lab and show the product at work
	@$(ROOT) .venv/bin/netctl lab demo

down: venv ## take every lab down
	@$(ROOT) .venv/bin/netctl lab down --all

test: setup ## all tests: unit, then functional (real OVN, OVS, etcd), then e2e (the lab)
	@$(PYTEST) tests/unit tests/functional tests/e2e

unit: venv ## unit tests: no root, no daemons, seconds
	@.venv/bin/python -m pytest tests/unit

functional: setup ## tests against real OVN, OVS, SQLite and etcd
	@$(PYTEST) tests/functional

e2e: setup ## tests of the lab: API in, packets out
	@$(PYTEST) tests/e2e

planted: setup ## plant known bugs in a copy and show that the tests catch each (some: WORDS="lab fence")
	@$(ROOT) .venv/bin/python -m tests.planted $(WORDS)

bench: setup ## benchmarks
	@$(ROOT) .venv/bin/python -m bench

check: venv check-proto ## style, types, layers, proto style, generated code
	ruff check $(SOURCES)
	ruff format --check --quiet $(SOURCES)
	mypy $(SOURCES)
	lint-imports
	buf lint

proto: venv ## generate netctl/v1 from proto/
	@.ci/generate .

check-proto: venv
	@.ci/generate --check

clean: ## remove .venv and every cache (labs: make down first)
	@rm -rf .venv .guest dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
