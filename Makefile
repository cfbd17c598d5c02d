# make demo: the main job on the offline miniature.  make test: the tests.  Both set everything up in .venv.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo
TORCH := $(shell sed -n 's/.*"\(torch==[^"]*\)".*/\1/p' pyproject.toml)

.PHONY: demo test check wheel clean

.venv/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed; run: make PYTHON=/path/to/python3.11"'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	# The CPU build where its index answers: the tests need no other, and it is a tenth of the size.
	-$(BIN)/python -m pip install --quiet --retries 0 --extra-index-url https://download.pytorch.org/whl/cpu $(TORCH)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: .venv/.installed
	$(BIN)/laion-fmri demo --folder $(DEMO)

test: .venv/.installed
	$(BIN)/python -m pytest --numprocesses=auto

check: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/laion-fmri catalog validate
	$(BIN)/laion-fmri reference --check

wheel:
	$(PYTHON) -m venv --clear build/wheel
	build/wheel/bin/python -m pip install --quiet .
	cd build && wheel/bin/laion-fmri catalog validate && wheel/bin/laion-fmri ls > /dev/null

clean:
	rm -rf .venv demo build dist
