# Two commands: `make demo` runs the platform's main job, `make test` passes the tests. Both set everything up.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash

.DEFAULT_GOAL := help
.PHONY: help demo dev test lint bench stop clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-6s %s\n", $$1, $$2}'

demo: .venv/runtime ## Simulate 45 days of deliveries and run the whole chain on an embedded PostgreSQL
	@$(BIN)/etl-assets demo

dev: .venv/runtime ## Open the Dagster UI and MLflow on what the demo made
	@$(BIN)/etl-assets dev

test: .venv/test ## Run all tests that Python packages allow
	@$(BIN)/python -m pytest -p no:cacheprovider

lint: .venv/test ## Check style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: .venv/test ## Measure the main job on the handbook's card transactions
	@$(BIN)/python bench/main_job.py

stop: .venv/runtime ## Stop the embedded PostgreSQL and the stand-in for Snowflake
	@$(BIN)/etl-assets stop

clean: ## Stop everything and remove all state and the environment
	@if [ -x $(BIN)/etl-assets ]; then $(BIN)/etl-assets clean; fi
	@rm -rf .venv .env state build etl_assets.egg-info

.venv/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check 'pip==26.3'
	@touch $@

# Without resolving: the lock is complete, and a resolve of these packages takes many minutes.
.venv/runtime: .venv/pip locks/runtime.txt pyproject.toml
	@echo "Installing $$(wc -l < locks/runtime.txt) packages, two to three minutes the first time ..."
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps -r locks/runtime.txt
	@$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/pip install -qq --disable-pip-version-check torch==2.13.0
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/test: .venv/runtime locks/test.txt
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps -r locks/test.txt
	@touch $@
