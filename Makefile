# make book          build the pages              make test    lint, tests, notebooks, pages in a browser
# make notebooks     text twins -> notebooks      make test-portable    the tests as on other makes of processor
# make lab           the chapters as notebooks    make bench   speed, side by side
# make space         the generator as a Space  make push-space SPACE=user/name
# make audit         holes known in its packages    make sbom    the list of them, as CycloneDX
# make workshop      run the workshop's paths within their budgets
# make offline       book, notebooks, models in one archive    make offline WITH=--wheels   and the packages
# make unpacked      run the notebooks of that archive without a network
# make links         ask for every address elsewhere that the pages lead to
# make repository URL=https://github.com/YOU/FORK     make lint     make clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadscope
READY := $(VENV)/.ready
BOOK_READY := $(VENV)/.book-ready
PAGE := _build/html/index.html
PEERS := .venv-bench
AUDIT := .venv-audit

.DEFAULT_GOAL := book
.PHONY: book test test-portable test-unit test-notebooks test-colab test-pages
.PHONY: audit sbom space push-space lab colab colab-newest notebooks workshop offline unpacked links bench repository lint clean

# The pages show stored outputs, so `make book` needs no torch: the rest comes with the first target that uses it. A stamp
# says that a list is installed; it is brought up to date when a pin or the package's metadata changes.
$(BOOK_READY): book/requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) -r book/requirements.txt
	@touch $@

$(READY): $(BOOK_READY) requirements.txt pyproject.toml
	$(INSTALL) -r requirements.txt
	$(INSTALL) --no-deps -e .
	@touch $@

book: $(BOOK_READY)
	@rm -rf _build/html
	$(BIN)/jupyter-book build --quiet -W --keep-going -n --all .
	@echo "The book: file://$(CURDIR)/$(PAGE)"

# Every stage runs, also after one that failed, and a line each says how it went; quick failures come first.
test: $(READY)
	@$(BIN)/python tools/stages.py lint test-unit test-notebooks test-colab test-pages

# With fewer instructions this processor rounds as others do: AVX2 stands for most of today's, SSE for any other make.
test-portable: $(READY)
	@$(BIN)/python tools/stages.py test-unit test-notebooks \
	    test-unit-avx2 test-notebooks-avx2 test-unit-sse test-notebooks-sse

%-avx2:
	@ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_CBWR=AVX2 $(MAKE) --no-print-directory $*

%-sse:
	@ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_CBWR=COMPATIBLE $(MAKE) --no-print-directory $*

test-unit: $(READY)
	$(PYTEST) --ignore=tests/browser tests

# No cell has to be quick: the timeout, in seconds, only ends one that hangs.
test-notebooks: $(READY)
	$(PYTEST) --nbval --nbval-current-env --nbval-cell-timeout=600 \
	    --nbval-sanitize-with=tests/sanitize.cfg -W default -p no:cacheprovider book/*.ipynb

test-colab: $(READY)
	$(BIN)/python tools/colab.py 01-forward-process

# Nothing of an old build may pass for a new one, so the pages are built before they are looked at.
test-pages: $(READY) book
	@$(BIN)/python tests/browser/chromium.py || $(BIN)/python -m playwright install chromium || true
	@$(BIN)/python tests/browser/firefox.py || apt-get install --yes --quiet firefox-esr || true
	@$(BIN)/python -m pytest -q -n 2 tests/browser

# The generator as a Hugging Face Space: here, or published. make push-space SPACE=user/name
space: $(READY)
	$(BIN)/python space/app.py

push-space: $(READY)
	@test -n "$(SPACE)" || { echo "say where to: make push-space SPACE=user/name"; exit 2; }
	@$(BIN)/python space/push.py $(SPACE)

lab: $(READY)
	test -x $(BIN)/jupyter-lab || $(INSTALL) jupyterlab
	$(BIN)/jupyter-lab book

# The notebooks with Colab's own ipywidgets and ipython, which are years older than ours, its numpy, and, with
# PIP_EXTRA_INDEX_URL naming PyTorch's CPU builds, its torch.
colab: $(READY)
	$(BIN)/python tools/colab.py $(NAMES)

# The same with the versions that Colab publishes today: they are taken into tools/colab.txt first.
colab-newest: $(READY)
	$(BIN)/python tools/colab_versions.py --take
	$(BIN)/python tools/colab.py $(NAMES)

notebooks: $(READY)
	$(BIN)/python tools/cards.py
	$(BIN)/python tools/speed.py
	$(BIN)/python tools/scale.py
	$(BIN)/python tools/trust.py
	$(BIN)/python tools/measured.py
	$(BIN)/python tools/hashes.py
	$(BIN)/python tools/notebooks.py
	$(BIN)/python tools/equations.py
	$(BIN)/python tools/paths.py
	$(BIN)/python tools/quizzes.py
	$(BIN)/python tools/exercises.py
	$(BIN)/python tools/challenge.py
	$(BIN)/python tools/hub.py
	$(BIN)/python tools/glossary.py
	$(BIN)/python tools/front.py
	$(BIN)/python tools/citation.py

# Peers stand in an environment of their own, which finds the book's and this folder beside what is installed there.
$(PEERS)/.ready: $(READY) benchmarks/requirements.txt
	$(BIN)/python -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/requirements.txt
	for python in $(BIN)/python $(PEERS)/bin/python; do $$python -c "import sysconfig; print(sysconfig.get_path('purelib'))"; done \
	    | { read book; read peers; printf '%s\n' "$$book" "$(CURDIR)" > "$$peers/book.pth"; }
	@touch $@

# Holes known in the pinned packages, and the pins as a bill of materials. The audit asks PyPI itself: a mirror does not
# know the holes.
$(AUDIT)/.ready: tools/audit.txt
	$(PYTHON) -m venv --clear $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check -r tools/audit.txt
	@touch $@

audit: $(AUDIT)/.ready
	$(AUDIT)/bin/pip-audit --strict --no-deps --disable-pip -r requirements.txt

sbom: $(AUDIT)/.ready
	mkdir -p _build
	cat book/requirements.txt requirements.txt | grep -v '^-r' \
	    | $(AUDIT)/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o _build/sbom.json -
	@echo "The list: _build/sbom.json"

bench: $(PEERS)/.ready
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(PEERS)/bin/python -m benchmarks.$$(basename $$script .py); done

# The cells of the paths of 45, 90 and 180 minutes, each within its budget of compute, with the results beside them and
# without; noted in workshop/measured.json.
workshop: $(READY)
	$(BIN)/python tools/rehearse.py --record
	$(BIN)/python tools/rehearse.py --alone --record
	$(BIN)/python tools/paths.py

# All that a room without a network needs, in one archive. make offline WITH=--wheels downloads the packages into it, too.
offline: book
	$(BIN)/python tools/offline.py $(WITH)

# Its notebooks, from a fresh folder, where no network is to be had. NAMES="07-unet" runs one.
unpacked: $(READY)
	$(BIN)/python tools/unpacked.py $(NAMES)

# Every address elsewhere that the pages lead to: is it still there? It takes a network.
links: book
	$(BIN)/python tools/links.py

repository: $(READY)
	$(BIN)/python tools/repository.py "$(URL)"

lint: $(READY)
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check . || { $(BIN)/ruff format --check .; exit 1; }

clean:
	rm -rf _build .pytest_cache .ruff_cache *.egg-info $(VENV) .venv-colab $(PEERS) $(AUDIT)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
