# Everything runs from here on a machine with Python 3.11+, make, and pip's index.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help demo gallery test test-all browser lint bench clean

help:
	@echo "make demo      explain a gradient, then train a network on real digits"
	@echo "make gallery   the worked examples as pages, pictures, LaTeX and text in docs/gallery"
	@echo "make test      style, types and tests: a few minutes"
	@echo "make test-all  the same, with the slow suites and comparisons with PyTorch and friends"
	@echo "make browser   install what the tests of pages and of LaTeX need, on Debian: Chromium and TeX"
	@echo "make bench     chainrule beside its peers: times, ratios, memory, accuracies"
	@echo "make clean     remove the virtual environment and caches"

# A virtual environment, and in it: the package; what tests need; what comparisons need.
.venv/base: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --editable .
	@touch $@

.venv/test: .venv/base
	$(PIP) --editable '.[test]'
	@touch $@

.venv/peers: .venv/test
	$(PIP) --editable '.[test,peers]'
	@touch $@

demo: .venv/base
	$(BIN)/chainrule explain --example neuron
	$(BIN)/chainrule train digits

gallery: .venv/base
	$(BIN)/python docs/write_gallery.py

lint: .venv/test
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/mypy

test: lint
	$(BIN)/pytest -q -n auto -m "not slow and not peers and not browser"

test-all: lint .venv/peers
	$(BIN)/pytest -q -n auto

browser:
	command -v chromium && command -v pdflatex || { apt-get update -q && \
	  apt-get install -qy --no-install-recommends chromium texlive-latex-base texlive-latex-recommended fonts-dejavu-core; }

bench: .venv/peers
	$(BIN)/python benchmarks/eager.py
	$(BIN)/python benchmarks/explain.py
	$(BIN)/python benchmarks/contractions.py
	$(BIN)/python benchmarks/training_steps.py
	$(BIN)/python benchmarks/accuracy.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
