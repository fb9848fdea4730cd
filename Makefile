# Two commands for a newcomer: `make run` and `make test`. `make help` lists the rest.
# Set-up happens once and again only when requirements.lock or pyproject.toml changes.

# The newest Python that can make a virtual environment; failing that the newest, for the message in tools/setup.sh.
IN_RANGE = import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for check in 'import ensurepip, venv; $(IN_RANGE)' '$(IN_RANGE)'; do \
	for p in python3.13 python3.12 python3.11 python3; do $$p -c "$$check" 2>/dev/null && { echo $$p; exit; }; done; done)
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE=

SEED ?=
QUBITS ?=
BACKEND ?=
BEFORE ?=
AFTER ?=
CHANGE_AT ?=
KEEP ?=
ENGINE ?=

.DEFAULT_GOAL := help
.PHONY: help setup run test test-kafka lint format bench soak wheel-test schemas clean

help: ## List what there is to do
	@echo "quantum-mlops"
	@echo
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk 'BEGIN {FS = ":.*?## "} {printf "  make %-12s %s\n", $$1, $$2}'
	@echo
	@echo "  make run ENGINE=kafka                  the same through a real Kafka; a worker is killed on the way"
	@echo "  make run KEEP=1                        leave the daemon up afterwards"
	@echo "  make run QUBITS=19-22-25-24            a quiet part of the device: no alert"
	@echo "  make run QUBITS=1-4-7-10 AFTER=2025-02-12"
	@echo "  make run BACKEND=sherbrooke QUBITS=37-38-39-40 BEFORE=2025-02-26 AFTER=2024-04-16"
	@echo "  make run SEED=7 CHANGE_AT=120          (CHANGE_AT=never: nothing changes)"

.venv/.ready: requirements.lock pyproject.toml tools/setup.sh
	@PYTHON='$(PYTHON)' sh tools/setup.sh

setup: .venv/.ready ## Make .venv with pinned and hashed versions

run: .venv/.ready ## Watch a real training job on a device that goes bad; prints the alert
	@$(if $(filter kafka,$(ENGINE)),$(BIN)/python tools/kafka/demo.py,$(BIN)/quantum-mlops demo --dir build/demo) $(if $(SEED),--seed $(SEED)) $(if $(BACKEND),--backend $(BACKEND)) \
		$(if $(QUBITS),--qubits $(QUBITS)) $(if $(BEFORE),--before $(BEFORE)) $(if $(AFTER),--after $(AFTER)) \
		$(if $(CHANGE_AT),--change-at $(CHANGE_AT)) $(if $(KEEP),--keep)

test: .venv/.ready ## Run the tests (at most 10 minutes on 2 cores)
	@$(BIN)/python -m pytest -m "not soak and not kafka" -n 2 --dist loadfile $(ARGS)

test-kafka: .venv/.ready ## Run the tests on a real Kafka (at most 25 minutes; fetches it by Maven, or takes Docker's)
	@$(BIN)/python tools/kafka/broker.py --run $(BIN)/python -m pytest tests -m "kafka and not soak" --timeout=300 -n 2 --dist loadfile $(ARGS)

lint: .venv/.ready ## Run ruff, mypy and import-linter
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache

format: .venv/.ready ## Let ruff format and fix
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: .venv/.ready ## Measure speed; prints a table and writes build/bench.json
	@$(BIN)/python benchmarks/run.py $(ARGS)

soak: .venv/.ready ## Run the long tests by hand (tens of minutes)
	@$(BIN)/python -m pytest -m soak --timeout=7200 $(ARGS)

wheel-test: .venv/.ready ## Build the wheel; install and try it with the lowest and the highest versions
	@sh tools/wheel_test.sh

schemas: .venv/.ready ## Write what is generated: JSON Schemas, the OpenAPI document, Prometheus rules, the dashboard
	@$(BIN)/python tools/write_schemas.py
	@$(BIN)/python tools/write_openapi.py
	@$(BIN)/python tools/write_monitoring.py

clean: ## Remove what these commands made
	rm -rf build dist .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
