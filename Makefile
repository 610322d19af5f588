# CRM Sync for Gmail. `make` alone prints this help.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Three workers on two cores: half of the time a test waits for a process of its own.
WORKERS ?= $(shell echo $$(( ($$(nproc) * 3 + 1) / 2 )))
N ?= 100000
KILLS ?= 20

.DEFAULT_GOAL := help
.PHONY: help setup run demo test check bench simulate damage faults chaos screenshots clean

help: ## Print what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk 'BEGIN {FS = ":.*## "} {printf "  make %-12s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	@tools/need-python $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

setup: $(STAMP) ## Install everything into .venv, and the commit hooks
	@if [ -d .git ]; then $(BIN)/pre-commit install >/dev/null; fi

demo: $(STAMP) ## Show the product in a throw-away instance, then exit
	@$(BIN)/crm-sync demo --load tests/data/mail $(DEMO)

run: $(STAMP) ## Run everything with a local Google and demo data, until Ctrl-C
	@$(BIN)/crm-sync up --sandbox $(UP)

check: $(STAMP) ## Format, lint, types, import rules, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

test: check ## All checks and all tests
	@tools/need-chromium
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

simulate: $(STAMP) ## The seeded simulation: make simulate N=100000
	$(BIN)/python -m tests.support.simulation $(N)
	$(BIN)/python -m tests.support.calendar_story $$(( $(N) / 4 ))

damage: $(STAMP) ## Read damaged messages: make damage N=10000
	$(BIN)/python -m tests.support.damage $(N)

bench: $(STAMP) ## Requests, time and memory, as ratios; rewrites docs/benchmarks.md
	$(BIN)/python -m benchmarks $(BENCH)

chaos: $(STAMP) ## Kill real processes at production timings: make chaos KILLS=20
	$(BIN)/python -m tests.support.chaos $(KILLS)

screenshots: $(STAMP) ## Walk a new user's way and take the pictures of docs/tour.md
	@tools/need-chromium
	$(BIN)/python -m tests.support.journey docs/screens

faults: ## (comes with a later issue)
	@echo "make $@ comes with a later issue; see CHANGELOG.md." && exit 1

clean: ## Remove what was built and cached
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
