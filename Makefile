# `make` alone lists the targets. Every target makes the environment it needs.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUN ?= runs/demo
STEPS ?= 450
MINUTES ?= 5
SHARED := ../shared/data
# A process more than there are cores: tests that start Ray wait for it. Files with slow tests come
# first (tests/conftest.py), so that no core is left with one at the end.
TESTERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
PYTEST = OMP_NUM_THREADS=1 $(BIN)/pytest --dist loadfile --no-loadscope-reorder --numprocesses

.DEFAULT_GOAL := help
.PHONY: help install demo check test coverage lint format docs wheel bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/installed ## make .venv with the pinned packages, fetch the landmark networks

# torch comes first and alone: asked for later, another package's open range could pull in a build
# with gigabytes of CUDA.
$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'needs Python 3.11: make PYTHON=/path/to/python3.11'; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/dh-prep doctor --fetch
	@touch $@

demo: install ## data, model, video, table in minutes; DATA=folder takes your own videos
	@BIN=$(BIN) RUN=$(RUN) DATA='$(DATA)' STEPS='$(STEPS)' MINUTES='$(MINUTES)' bash demo.sh

check: lint ## lint, types, import contracts and the quick tests: two minutes, before each commit
	$(PYTEST) auto -m 'not slow'

# Without a network to fetch them from, the tests that need the networks of FID and FVD are skipped.
test: lint ## lint, types, import contracts and all tests
	-$(BIN)/dh-prep doctor --fetch --metrics fid,fvd > /dev/null
	$(PYTEST) $(TESTERS)

coverage: install ## all tests, and which lines they run
	$(PYTEST) $(TESTERS) --cov --cov-report=term

lint: install ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: install ## let ruff write
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install ## the documentation as a site, in build/site
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

wheel: install ## a wheel, in dist
	rm -rf build/lib
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

bench: install ## measure speed on this machine; figures go to benchmarks/speed/RESULTS.md by hand
	$(BIN)/python benchmarks/speed/prep.py $(SHARED)/clips --repeat 1

clean: ## remove the environment, caches and the demo's run
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .coverage build dist *.egg-info $(RUN)
