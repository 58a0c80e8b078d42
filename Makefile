# Each target makes the virtual environment if it isn't there; PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# most tests wait for the simulated reactor: two at a time, each process with an IOC of its own; the long files first
XDIST := --numprocesses 2 --dist
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-long bench docs audit install clean

demo: $(INSTALLED)
	$(BIN)/msc demo

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/pytest -m "not long" $(XDIST) loadscope --no-loadscope-reorder

test-long: $(INSTALLED)
	$(BIN)/pytest -m long $(XDIST) worksteal

bench: $(INSTALLED)
	@status=0; for file in benchmarks/[!_]*.py; do \
	  echo "== $$file"; $(BIN)/python $$file $(ARGS) || status=1; done; exit $$status

docs: $(INSTALLED)
	@# begun anew, so that nothing is left of pages that are gone; no network is used
	rm -rf docs/_generated build/docs
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs
	@echo "Open build/docs/index.html"

audit: $(INSTALLED)
	$(BIN)/python -m tests.audit

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; choose one with: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@# compiles kinetic solver, analyses and twin once, so that no session waits for them
	@$(BIN)/python -c "from msc_plans.advisor import Advisor; Advisor(particles=50).suggest()"
	@$(BIN)/python -c "import numpy as np; from msc_plans.analysis import saxs, uvvis; \
	  x = np.linspace(330, 800, 500); uvvis.analyse(x, np.sin(x)); \
	  q = np.linspace(0.3, 5, 200); y = q**-3 + np.exp(-(q**2) / 3); saxs.analyse(q, y, 0.01 * y, method='monte carlo')"
	@$(BIN)/python -m ioc_sim.claims > /dev/null
	@touch $@

clean:
	rm -rf $(VENV) build dist docs/_generated *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
