# Every entry point. `make demo` and `make test` set up all they need on a bare Debian or Ubuntu; a second call does not again.

VENV ?= .venv
PY := $(VENV)/bin/python
PYTHON ?= python3
# The CPU build; installed first, so that nothing pulls a CUDA build in.
TORCH ?= torch==2.13.0
export MUJOCO_GL ?= egl
export LP_NUM_THREADS ?= 1
export PYTHONUNBUFFERED = 1

.PHONY: demo test lint setup firmware bench docs translations clean help

help:  ## This list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: setup firmware  ## The main job on the digital twin: record, process, five robot grasps, demo/report.html
	$(PY) -m wildgrasp.cli demo

test: setup firmware lint  ## Everything: firmware, packages, end to end
	$(PY) -m pytest $(PYTEST)

lint: setup  ## Style and import rules
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports

firmware: setup  ## The AVR binary and the simulator that runs it
	$(MAKE) -s -C firmware all
	$(MAKE) -s -C digital_twin/avr all

bench: setup firmware  ## Every benchmark in turn (takes long)
	for f in $$(grep -l "^if __name__" benchmarks/*.py); do $(PY) -m benchmarks.$$(basename $$f .py) || exit 1; done

setup: $(VENV)/.ready  ## System packages and the virtual environment

$(VENV)/.ready: pyproject.toml scripts/apt-packages.txt
	$(if $(filter skip,$(SYSTEM)),,scripts/system-packages.sh)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; give it as: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q --upgrade pip
	$(PY) -m pip install -q '$(TORCH)'
	$(PY) -m pip install -q -e '.[all,dev]'
	touch $@

TRANSLATIONS := capture_app/app/translations
translations: setup  ## The app's texts: new ones into the .ts files, which people edit, and the .qm files from those
	$(VENV)/bin/pyside6-lupdate capture_app/app/views/*.py -ts $(TRANSLATIONS)/de.ts -no-obsolete -locations none
	$(VENV)/bin/pyside6-lupdate capture_app/app/views/*.py -ts $(TRANSLATIONS)/en.ts -no-obsolete -locations none -pluralonly
	for f in $(TRANSLATIONS)/*.ts; do $(VENV)/bin/pyside6-lrelease $$f; done

clean:  ## Remove what was built (not the virtual environment, not recordings)
	$(MAKE) -s -C firmware clean
	$(MAKE) -s -C digital_twin/avr clean
	find . -name __pycache__ -not -path './$(VENV)/*' -exec rm -rf {} +
