# `make` alone lists what there is. `make demo` and `make test` need nothing but this file's folder: they install and
# start what is missing (Debian and Ubuntu), or stop and say what to do (elsewhere).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
WITH_ENGINE := .ci/with-engine
DEMO := examples/breast-cancer/pipeline.yaml
PYTEST_ARGS ?=
# A file's tests stay with one worker, in their order; 0 runs all of them in one process.
TEST_WORKERS ?= 2
BENCH_ARGS ?=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: install
install: ## Make .venv with the locked dependencies and run-pipeline
	@.ci/environment

.PHONY: engine
engine: install ## Make sure that a Docker engine answers
	@.ci/engine

.PHONY: images
images: engine ## Build the images that are missing
	@$(WITH_ENGINE) $(BIN)/run-pipeline images build

.PHONY: data
data: install ## Write the example's raw data (from scikit-learn's package)
	@$(BIN)/python examples/breast-cancer/make_data.py

.PHONY: demo
demo: images data ## Set everything up and run the example pipeline
	$(WITH_ENGINE) $(BIN)/run-pipeline $(DEMO)

.PHONY: test
test: images data ## Set everything up and run all tests, real containers included
	@.ci/file-systems
	RUN_PIPELINE_REQUIRE_DOCKER=1 $(WITH_ENGINE) $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile $(PYTEST_ARGS)

.PHONY: lint
lint: install ## Check style, formatting, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: fmt
fmt: install ## Format the code
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

.PHONY: type
type: install ## Check types only
	$(BIN)/mypy

.PHONY: bench-tools
bench-tools: images data
	@.ci/environment bench
	@.ci/compose

.PHONY: bench
bench: bench-tools ## Measure the promises on this machine; renew tests/bench/results and the README's figures
	$(WITH_ENGINE) $(BIN)/python tests/bench --save $(BENCH_ARGS)

.PHONY: bench-check
bench-check: bench-tools ## Measure the promises, and fail when one is broken
	$(WITH_ENGINE) $(BIN)/python tests/bench --check $(BENCH_ARGS)

# Whatever index this machine uses, the lock names the public one.
.PHONY: lock
lock: ## Renew uv.lock from the public index
	env -u UV_INDEX -u UV_EXTRA_INDEX_URL -u UV_INDEX_URL -u UV_FIND_LINKS -u UV_DEFAULT_INDEX \
	  uv lock --no-config --upgrade

.PHONY: clean
clean: ## Remove what runs and builds left here (images and the engine stay)
	-@if [ -x $(BIN)/run-pipeline ]; then $(WITH_ENGINE) $(BIN)/run-pipeline clean; fi
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
