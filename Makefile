# make book          build the pages              make test    lint, tests, notebooks, pages in a browser
# make notebooks     text twins -> notebooks      make bench   speed, side by side
# make repository URL=https://github.com/YOU/FORK     make lint     make clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PAGE := _build/html/index.html

.DEFAULT_GOAL := book
.PHONY: book test colab notebooks bench repository lint clean

# The environment is complete once the stamp stands; it is brought up to date when a pin or the package's metadata changes.
$(READY): requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

book: $(READY)
	@rm -rf _build/html
	$(BIN)/jupyter-book build --quiet -W --keep-going -n --all .
	@echo "The book: file://$(CURDIR)/$(PAGE)"

# Nothing of an old build may pass for a new one, so the pages are built before they are looked at; quick failures come first.
test: lint
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadscope --ignore=tests/browser tests
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadscope --nbval --nbval-current-env \
	    --nbval-cell-timeout=180 --nbval-sanitize-with=tests/sanitize.cfg -W default -p no:cacheprovider book/*.ipynb
	@$(MAKE) --no-print-directory colab NAMES=01-forward-process
	@$(MAKE) --no-print-directory book
	@$(BIN)/python tests/browser/chromium.py || $(BIN)/python -m playwright install chromium || true
	@$(BIN)/python -m pytest -q tests/browser

# The widgets with the ipywidgets and ipython of Colab, which are years older than ours.
colab: $(READY)
	$(BIN)/python tools/colab.py $(NAMES)

notebooks: $(READY)
	$(BIN)/python tools/shelf.py
	$(BIN)/python tools/notebooks.py
	$(BIN)/python tools/equations.py

bench: $(READY)
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script; done

repository: $(READY)
	$(BIN)/python tools/repository.py "$(URL)"

lint: $(READY)
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check . || { $(BIN)/ruff format --check .; exit 1; }

clean:
	rm -rf _build .pytest_cache .ruff_cache *.egg-info $(VENV) .venv-colab
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
