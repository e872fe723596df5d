# Two commands matter: `make demo` and `make test`. Each installs what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
READY := $(VENV)/.ready

.PHONY: demo test check format bench kill-storm kill-storm-short kill-storm-postgres kill-storm-postgres-short system clean

demo: $(READY)
	$(BIN)/wavecrew demo

test: $(READY)
	$(BIN)/python -m pytest -n auto --dist loadfile

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	$(BIN)/python bench/agents.py --quick
	$(BIN)/python bench/sandbox.py
	$(BIN)/python bench/workspace.py
	$(BIN)/python bench/plans.py
	$(BIN)/python bench/engine.py --quick

kill-storm: $(READY)
	$(BIN)/python tests/storm/kill_storm.py --random 200 --json kill-storm.json

kill-storm-short: $(READY)
	$(BIN)/python tests/storm/kill_storm.py --short

kill-storm-postgres: $(READY)
	$(BIN)/python tests/storm/kill_storm.py --postgres --random 20 --json kill-storm-postgres.json

kill-storm-postgres-short: $(READY)
	$(BIN)/python tests/storm/kill_storm.py --postgres --short

$(READY): pyproject.toml uv.lock system.sh
	sh system.sh
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(UV) sync --frozen --compile-bytecode --system-certs --quiet --all-extras --python $(BIN)/python
	touch $(READY)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
