# Every command of a developer's day. Needs only make, git and Python 3.11 to 3.13.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
export TF_CPP_MIN_LOG_LEVEL ?= 3
export UV_HTTP_TIMEOUT ?= 300

VENV ?= .venv
PY := $(VENV)/bin/python
RUN ?= runs/first
ARGS ?=
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder
DIST ?= dist
WHEEL_PYTHON ?=

# The first Python that starts and is of a version that the lock file covers.
FIND_PYTHON = for p in $(PYTHON) python3.11 python3.12 python3.13 python3 python; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo "$$p"; break; }; done

.PHONY: help venv fit test lint format types unit test-ray test-addons test-jax test-torch wheel sample-data docs pictures benchmarks lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

venv: ## make .venv from requirements.lock (only when the lock has changed)
	@cmp -s requirements.lock $(VENV)/requirements.lock || $(MAKE) --no-print-directory $(VENV)/install
	@$(PY) -m compileall -q p2p_keras

# $(call install,ENVIRONMENT,FILE): uv takes a quarter of pip's time; pip where uv finds no packages (it doesn't read
# pip's configuration). Both compile to bytecode: where PYTHONDONTWRITEBYTECODE is set, each start of a program would
# otherwise compile all that it imports, which takes longer than the imports.
PIP_QUIET = --disable-pip-version-check -qq
install = { $(1)/bin/python -m pip install $(PIP_QUIET) "$$(grep '^uv==' requirements.lock)" && \
	$(1)/bin/python -m uv pip install --quiet --compile-bytecode --python $(1)/bin/python --no-deps -r $(2); } || \
	$(1)/bin/python -m pip install $(PIP_QUIET) --no-deps -r $(2)

.PHONY: $(VENV)/install
$(VENV)/install:
	@python="$$($(FIND_PYTHON))"; \
	[ -n "$$python" ] || { echo "make: Python 3.11, 3.12 or 3.13 was not found; name one: make PYTHON=/path/to/python" >&2; exit 2; }; \
	echo "Making $(VENV) with $$("$$python" --version); this takes a few minutes, once."; start=$$SECONDS; \
	[ -x $(PY) ] || "$$python" -m venv $(VENV); \
	$(call install,$(VENV),requirements.lock); \
	$(PY) -m pip install $(PIP_QUIET) --no-deps --no-build-isolation --editable .; \
	cp requirements.lock $(VENV)/requirements.lock; \
	echo "Made $(VENV) in $$((SECONDS - start)) s."

fit: venv ## train the default preset on the shipped sample (RUN=runs/first, ARGS=more options)
	@$(PY) -m p2p_keras.fit --data tfrecords --preset isophote --run $(RUN) $(ARGS)

test: lint types unit test-ray ## everything that CI asks: lint, types, tests

lint: venv ## ruff: rules and formatting
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

format: venv ## ruff: mend what can be mended, and format
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

types: venv ## mypy
	$(PY) -m mypy

unit: venv ## pytest (PYTEST_ARGS="tests/images -k wcs" for some)
	$(PY) -m pytest --ignore=tests/sky_survey/test_ray.py --ignore=tests/wheel $(PYTEST_ARGS)

# Ray gives its own processes 15 s to start, and no setting gives them more: beside other tests they may miss it.
test-ray: venv ## the survey on a Ray cluster, with workers, nodes and drivers killed
	$(PY) -m pytest -n 0 tests/sky_survey/test_ray.py

# TensorFlow 2.15 is the oldest runtime promised, and the last that tensorflow-addons can be imported with.
VENV_ADDONS ?= .venv-addons
test-addons: venv ## the tensorflow-addons lane: shipped model and attention step in TensorFlow 2.15 (MODEL=another; needs Python 3.11)
	@cmp -s requirements-addons.txt $(VENV_ADDONS)/requirements-addons.txt || { \
	[ -x $(VENV_ADDONS)/bin/python ] || python3.11 -m venv $(VENV_ADDONS); \
	$(call install,$(VENV_ADDONS),requirements-addons.txt); \
	cp requirements-addons.txt $(VENV_ADDONS)/; }
	@mkdir -p build
	$(PY) tests/addons/reference.py build/addons-reference.npz $(MODEL)
	$(PY) tests/addons/attention_reference.py build/addons-attention.npz
	P2P_ADDONS_REFERENCE=$(CURDIR)/build/addons-reference.npz P2P_ADDONS_ATTENTION=$(CURDIR)/build/addons-attention.npz \
	$(VENV_ADDONS)/bin/python -m pytest --override-ini minversion=7 tests/addons

# The tests marked `backends`: other files import TensorFlow.
BACKEND_TESTS ?= tests/network/backends tests/network/layers/test_layer_contract.py tests/network/training/test_every_backend.py
# BACKEND_ARGS="-m 'not slow'" is what continuous integration runs: two to four minutes of processor time each.
BACKEND_ARGS ?=
# The networks are tiny: to optimize what is compiled takes longer than to run it.
UNOPTIMIZED = --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false
test-jax: venv ## layers, presets, training and the shipped model on JAX, against TensorFlow's numbers
	KERAS_BACKEND=jax XLA_FLAGS="$(UNOPTIMIZED) $(XLA_FLAGS)" $(PY) -m pytest $(PYTEST_ARGS) $(BACKEND_ARGS) $(BACKEND_TESTS)

# PyTorch's wheel on PyPI brings 3 GB of CUDA: an environment of its own, without TensorFlow, for the CPU build, which
# PyTorch's own index has: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make test-torch TORCH=torch==2.13.0+cpu
VENV_TORCH ?= .venv-torch
TORCH ?= torch
test-torch: venv ## the same on PyTorch, without TensorFlow (TORCH=a requirement or wheel of the CPU build)
	@mkdir -p build
	@{ echo "$(TORCH)"; grep -hE '^(click|google-crc32c|h5py|keras|protobuf|pytest|rich|scipy)==' requirements.lock; } > build/requirements-torch.txt
	@cmp -s build/requirements-torch.txt $(VENV_TORCH)/requirements-torch.txt || { \
	[ -x $(VENV_TORCH)/bin/python ] || $(PY) -m venv $(VENV_TORCH); \
	$(VENV_TORCH)/bin/python -m pip install $(PIP_QUIET) -r build/requirements-torch.txt; \
	cp build/requirements-torch.txt $(VENV_TORCH)/; }
	$(PY) tests/network/backends/reference.py build/backends.npz
	KERAS_BACKEND=torch P2P_BACKENDS_REFERENCE=$(CURDIR)/build/backends.npz PYTHONPATH=$(CURDIR) \
	$(VENV_TORCH)/bin/python -m pytest $(BACKEND_ARGS) $(BACKEND_TESTS)

# The wheel is built from the source distribution, not from the clone, so both are tried.
wheel: venv ## build sdist and wheel in dist/, check them, try them in empty environments (WHEEL_PYTHON=python3.13)
	rm -f $(DIST)/p2p_keras-*
	$(PY) -m uv build --quiet --no-build-isolation --python $(PY) --out-dir $(DIST)
	$(PY) -m twine check --strict $(DIST)/p2p_keras-*
	P2P_DIST=$(abspath $(DIST)) P2P_WHEEL_PYTHON=$(WHEEL_PYTHON) $(PY) -m pytest -n 0 --durations=8 tests/wheel

sample-data: venv ## make the galaxies in tfrecords/ anew (DATA=another folder)
	$(PY) -m p2p_keras.simulate --survey mixed --count 200 --seed 1 --size 112 \
	  --splits train=0.7,val=0.15,test=0.15 --images-per-shard 64 --gzip --output $(or $(DATA),tfrecords)

docs: venv ## the documentation's site in build/docs; a warning is an error
	$(PY) -m sphinx --fail-on-warning --keep-going --quiet -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

pictures: venv ## draw the documentation's pictures anew, with the shipped model (REAL=folder of real galaxies: theirs too)
	$(PY) docs/draw_pictures.py $(if $(REAL),--real $(REAL))

AGAINST ?=
benchmarks: venv ## what each step costs a galaxy, in build/benchmarks.md (AGAINST=COMMIT: and the ratio to it)
	$(PY) benchmarks/rates.py $(if $(AGAINST),--against $(AGAINST))

UV = $(PY) -m uv pip compile --universal --python-version 3.11 --no-emit-index-url --no-annotate \
	--custom-compile-command "make lock" --quiet
lock: venv ## pin the newest versions anew in requirements.lock and deploy/*.lock
	$(UV) --upgrade --extra all --extra dev pyproject.toml -o requirements.lock
	$(UV) --upgrade -c requirements.lock --group predict -o deploy/requirements-predict.lock
	$(UV) --upgrade -c requirements.lock --extra all --extra gpu pyproject.toml -o deploy/requirements-train.lock

clean: ## remove the environments, caches and build folders (runs/ and data/ stay)
	rm -rf $(VENV) $(VENV_ADDONS) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
