# Two commands on a fresh machine with Python 3.11 and make: `make demo` and `make test`.
# PYTHON may name another interpreter (3.11-3.13); pins hold for 3.11.

PYTHON ?= python3.11
PYTHON := $(shell command -v $(PYTHON) 2>/dev/null || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
export KERAS_BACKEND ?= torch
export MPLBACKEND ?= Agg
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: env demo readme-pictures test test-all test-versions test-versions-whole test-trackers wheel-check lint docs notebooks bench clean \
	bench-gpu gpu-wheels bench-estimators bench-training bench-statistics bench-verification bench-uncertainty bench-faults bench-storage bench-decision bench-ensembles bench-resampling bench-search bench-frozen bench-fine-tuning bench-growth

env: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group test --group lint --editable .
	touch $@

# The single split with ten seeds, then all 866 cases in five folds with five passes: both claims, and a report of each.
demo: env
	$(BIN)/gengap demo soundings --cv 5 --output demo/soundings

readme-pictures: demo
	cp demo/soundings/learning_curves.png docs/figures/soundings_learning_curves.png
	$(BIN)/gengap report demo/soundings --lang zh --output demo/soundings/report_zh.html
	$(BIN)/python scripts/photograph_report.py demo/soundings/report.html docs/images/report
	$(BIN)/python scripts/photograph_report.py demo/soundings/report_zh.html docs/images/report-zh
	$(BIN)/python scripts/photograph_terminal.py demo/soundings docs/images/terminal

test: env
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" -q --durations=40 --durations-min=3

test-all: env
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -q
	$(MAKE) test-versions

# The suite's core on the lowest version of every dependency and on the newest, there on every Python that is here,
# each in its environment.
# The first time torch brings some GB of CUDA with it; GENGAP_TORCH_INDEX may name an index of CPU builds.
test-versions: env
	$(BIN)/python scripts/try_versions.py oldest
	for version in 3.11 3.12 3.13; do $(BIN)/python scripts/try_versions.py newest --python $$version || exit 1; done

# The same with the whole suite, half an hour each on two cores; what passed is written into docs/matrix.md.
test-versions-whole: env
	$(BIN)/python scripts/try_versions.py oldest --whole
	for version in 3.11 3.12 3.13; do $(BIN)/python scripts/try_versions.py newest --whole --python $$version || exit 1; done

# MLflow, TensorBoard and Weights & Biases want hundreds of packages: an environment of their own, made once.
test-trackers: .venv-trackers/.ready
	OMP_NUM_THREADS=1 .venv-trackers/bin/python -m pytest tests/tracking -q

.venv-trackers/.ready: pyproject.toml constraints.txt
	test -x .venv-trackers/bin/python || $(PYTHON) -m venv .venv-trackers
	.venv-trackers/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-trackers/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[parquet]" pytest hypothesis
	.venv-trackers/bin/python -m pip install --quiet --editable ".[mlflow,tensorboard,wandb]"
	touch $@

# The wheel, built and used from another folder in an environment without it and without the source tree.
wheel-check: env
	$(BIN)/python scripts/try_wheel.py

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.docs-ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/test_docs.py -q
	$(BIN)/mkdocs build --strict --quiet
	@echo "Docs: site/index.html"

# Minutes to an hour: GENGAP_REVIEWS_STUDY and GENGAP_STORMS_STUDY may name saved studies; GENGAP_IMDB the reviews.
notebooks: $(VENV)/.docs-ready
	$(BIN)/python scripts/notebooks.py

$(VENV)/.docs-ready: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group docs
	touch $@

bench: bench-verification bench-statistics bench-resampling bench-decision bench-ensembles bench-uncertainty bench-storage bench-faults bench-training

bench-verification bench-statistics bench-resampling bench-decision bench-ensembles bench-uncertainty bench-storage bench-faults: bench-%: env
	$(BIN)/python benchmarks/$*.py

bench-estimators: env
	$(BIN)/python -m benchmarks.estimators

# Hours, as rivals train trial after trial; GENGAP_IMDB adds the reviews. `-m benchmarks.search --quick` takes minutes.
bench-search: env
	$(BIN)/python benchmarks/search_selection.py
	$(BIN)/python -m benchmarks.search
	$(BIN)/python -m benchmarks.search_real

# A quarter of an hour on one core; JAX and TensorFlow take part where benchmarks/training/setup_rivals.sh has run.
bench-frozen: env
	$(BIN)/python benchmarks/frozen.py

bench-fine-tuning: env
	$(BIN)/python benchmarks/fine_tuning.py

bench-training: env
	$(BIN)/python -m benchmarks.training

bench-growth: env
	$(BIN)/python -m benchmarks.training.growth

# On a machine with a GPU: six minutes, results in benchmarks/results/gpu.json. Without one: tiny sizes, nothing written.
bench-gpu: env
	$(BIN)/python -m benchmarks.gpu

# What a machine lacks that has torch and the scientific packages but no package index: copy the tree there and run
#   python3 -m pip install --no-index --no-deps --target .gpu/site .gpu/wheels/*.whl
#   PYTHONPATH=.gpu/site python3 -m benchmarks.gpu
GPU_PYTHON ?= 3.12
gpu-wheels: env
	$(BIN)/python -m pip download --quiet --no-deps --only-binary=:all: --python-version $(GPU_PYTHON) \
		--implementation cp --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --dest .gpu/wheels \
		$$(grep -E '^(keras|optree|namex|h5netcdf|lazy[-_]loader|typer|pydantic|pydantic-core|annotated-types|typing-inspection|rich|xarray)==' constraints.txt)

clean:
	rm -rf $(VENV) .venv-* demo site
