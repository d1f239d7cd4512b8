PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test check bench clean
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.core ## Set up the light core (no torch) and read the sample photo; the drawing goes to demo/
	$(BIN)/kaoiro predict examples/photos/astronaut.jpg --annotate demo

test: check ## Set up everything and run all checks and tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadscope

check: $(VENV)/.dev ## Lint, format, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev ## Measure; needs FER2013=path/to/fer2013.csv and FERPLUS=path/to/fer2013new.csv
	@test -n "$(FER2013)" -a -n "$(FERPLUS)" || { echo "usage: make bench FER2013=fer2013.csv FERPLUS=fer2013new.csv" >&2; exit 2; }
	$(BIN)/python benchmarks/import_speed.py $(FER2013) --ferplus $(FERPLUS)
	$(BIN)/python benchmarks/train_speed.py
	$(BIN)/python benchmarks/predict_startup.py

clean: ## Remove the virtual environment and what the tools left
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.core: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.core
