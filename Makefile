# Two commands on a fresh machine: `make demo` and `make test`. Needs Python 3.11 or later, and git.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test check env env-dev format clean

demo: env ## Train for about a minute on the built-in corpus, then sample.
	$(BIN)/charlm train lm python --name demo --max-time 60s --overwrite
	$(BIN)/charlm sample --model demo "def " --max-new-tokens 600 --temperature 0.7 --stats

test: env-dev ## All that CI runs: format, lint, types, layers, spelling, tests, README examples.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python -m pytest

check: test

format: env-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

env: $(VENV)/.installed
env-dev: $(VENV)/.installed-dev

$(VENV)/.installed: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -r requirements.lock
	$(PIP) install --no-deps --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	$(PIP) install -r requirements-dev.lock
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
