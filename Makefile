# The commands of the README. Every target can be run again: the environment is created once, and again when one of its
# source files changes.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: demo bench gpu docs tutorial test lint audit clean

demo: $(INSTALLED)
	$(BIN)/python -m benchmarks.demo

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks.bench

gpu: $(INSTALLED)
	$(BIN)/python benchmarks/gpu.py --minutes 8 --out bench/gpu

docs: $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -c docs/site . site
	@echo 'built the documentation: open site/docs/index.html'

tutorial: $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python docs/site/execute_tutorial.py

test: lint
	$(BIN)/pytest --numprocesses 2 --dist loadfile

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[audit]'
	# --strict: fail if the vulnerabilities of a package cannot be looked up.
	$(BIN)/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

$(INSTALLED): pyproject.toml constraints.txt Makefile
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "nlb-search needs Python 3.11 or newer, not %s: choose a version with `make PYTHON=python3.12 ...`" % sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	# For the tests. nlb_tools requires pandas <= 1.3.4, which has no build for current Python versions, but runs with 2.
	$(BIN)/pip install --quiet --no-deps nlb_tools==0.0.4
	touch $@

clean:
	rm -rf .venv demo site
