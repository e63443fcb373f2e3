# make demo: a small real campaign.  make test: all checks.  Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS := 1

.PHONY: demo test check setup setup-test docs clean

demo: setup
	$(BIN)/asi-arch run --preset demo

test: check
	$(BIN)/pytest -n 2 --dist worksteal

check: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

setup: .venv/.installed

setup-test: .venv/.installed-test

docs: setup
	$(BIN)/python -m asi_arch.cli.reference > docs/cli.md

.venv/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/.installed-test: .venv/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

clean:
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache
