# make demo: a small real campaign.  make test: all checks.  Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS := 1

# make test-litellm: the openai backend against a LiteLLM proxy, in a second environment.
.PHONY: demo test test-litellm check setup setup-test docs clean

demo: setup
	$(BIN)/asi-arch run --preset demo

test: check
	$(BIN)/pytest -n 2 --dist worksteal

check: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-litellm: .venv/.installed-test .venv-litellm/.installed
	ASI_ARCH_LITELLM=$(CURDIR)/.venv-litellm/bin/litellm \
		$(BIN)/pytest -m litellm tests/backends/test_litellm.py

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

.venv-litellm/.installed:
	test -x .venv-litellm/bin/python || $(PYTHON) -m venv .venv-litellm
	echo '*' > .venv-litellm/.gitignore
	.venv-litellm/bin/pip install --quiet --disable-pip-version-check 'litellm[proxy]'
	touch $@

clean:
	rm -rf .venv .venv-litellm dist build .pytest_cache .mypy_cache .ruff_cache
