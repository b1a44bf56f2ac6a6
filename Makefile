# make book          build the pages              make test    lint, tests, notebooks, pages in a browser
# make notebooks     text twins -> notebooks      make bench   speed, side by side
# make lab          the chapters as notebooks
# make repository URL=https://github.com/YOU/FORK     make lint     make clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PAGE := _build/html/index.html
PEERS := .venv-bench

.DEFAULT_GOAL := book
.PHONY: book test lab colab notebooks bench repository lint clean

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
	@$(BIN)/python -m pytest -q -n 2 tests/browser

lab: $(READY)
	test -x $(BIN)/jupyter-lab || $(BIN)/python -m pip install --quiet --disable-pip-version-check jupyterlab
	$(BIN)/jupyter-lab book

# The widgets with the ipywidgets and ipython of Colab, which are years older than ours.
colab: $(READY)
	$(BIN)/python tools/colab.py $(NAMES)

notebooks: $(READY)
	$(BIN)/python tools/cards.py
	$(BIN)/python tools/speed.py
	$(BIN)/python tools/shelf.py
	$(BIN)/python tools/notebooks.py
	$(BIN)/python tools/equations.py

# Peers stand in an environment of their own, which finds the book's and this folder beside what is installed there.
$(PEERS)/.ready: $(READY) benchmarks/requirements.txt
	$(BIN)/python -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/requirements.txt
	for python in $(BIN)/python $(PEERS)/bin/python; do $$python -c "import sysconfig; print(sysconfig.get_path('purelib'))"; done \
	    | { read book; read peers; printf '%s\n' "$$book" "$(CURDIR)" > "$$peers/book.pth"; }
	@touch $@

bench: $(PEERS)/.ready
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(PEERS)/bin/python $$script; done

repository: $(READY)
	$(BIN)/python tools/repository.py "$(URL)"

lint: $(READY)
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check . || { $(BIN)/ruff format --check .; exit 1; }

clean:
	rm -rf _build .pytest_cache .ruff_cache *.egg-info $(VENV) .venv-colab $(PEERS)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
