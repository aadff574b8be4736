# jpegai-mobile: `make demo` codes and decodes a photo, `make test` runs linters and tests; `make fuzz` and `make test-training` run apart.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
OUT := out

C_SOURCES = $(wildcard jpegai_mobile/native/*/*.c jpegai_mobile/native/*/*.h tests/fuzz/*.c tests/native_programs/*.c device_tests/*/*.c)
PACKAGES := jpegai_mobile converters device_tests picture_quality
# What weights/CMakeLists.txt makes the model bundle of the package from.
BUNDLE_SOURCES = weights/CMakeLists.txt $(wildcard weights/*.zip converters/*.py converters/*/*.py jpegai_mobile/networks/*.py)

.PHONY: demo test test-training lint fuzz bench format clean

demo: $(INSTALLED)
	@mkdir -p $(OUT)
	$(BIN)/jpegai encode examples/kodim07.jpg $(OUT)/kodim07.jai --bpp 0.5 --stats
	$(BIN)/jpegai info $(OUT)/kodim07.jai
	$(BIN)/jpegai decode $(OUT)/kodim07.jai $(OUT)/kodim07.png --stats
	@echo
	@echo "A photo of $$(wc -c < examples/kodim07.jpg) bytes became a code stream of $$(wc -c < $(OUT)/kodim07.jai) bytes," \
		"and that the picture $(OUT)/kodim07.png."
	@echo "The model bundle came with the package; try: $(BIN)/jpegai decode --help"

# Modules are shared out over the cores; device tests are those of this machine. A process that dies fails the run at once
# instead of being started again.
test: $(INSTALLED) lint
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --max-worker-restart 0 tests device_tests

# Needs PyTorch and onnxruntime, some gigabytes of them, and the rivals of `benchmarks.rate_distortion`.
# `make test` skips the tests whose packages are not installed.
test-training: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,bench,rivals]'
	$(BIN)/mypy training
	$(BIN)/python -m pytest $(wildcard tests/test_training_*.py) tests/test_rate_distortion.py tests/test_bench_scripts.py

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/clang-format --dry-run -Werror $(C_SOURCES)

# Mutated streams over all tools: both engines must agree, sanitizers must stay silent.
fuzz: $(INSTALLED)
	$(BIN)/python -m tests.fuzz --streams 20000

# What decoding costs on this machine; the other scripts of benchmarks/ are run by hand.
bench: $(INSTALLED)
	@mkdir -p $(OUT)
	$(BIN)/jpegai-convert weights/own_model1.zip -o $(OUT)/own.bundle --precision float32,int8 --calibration weights/calibration
	$(BIN)/python -m benchmarks.big_streams examples/kodim07.jai $(OUT)/own.bundle $(OUT)/kodim07_1024x1024.jai 1024 1024
	$(BIN)/python -m benchmarks.big_streams examples/kodim07.jai $(OUT)/own.bundle $(OUT)/kodim07_2096x1400.jai 2096 1400
	$(BIN)/jpegai bench $(OUT)/kodim07_*.jai --bundle $(OUT)/own.bundle --operating-point sop,bop --threads 1,2 -o $(OUT)/bench.tsv
	@cat $(OUT)/bench.tsv

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(C_SOURCES)

# An editable installation with everything that tests and conversion need; the native core is built by CMake.
$(INSTALLED): pyproject.toml CMakeLists.txt $(wildcard jpegai_mobile/native/*/*.c jpegai_mobile/native/*/*.h) $(BUNDLE_SOURCES)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[convert,test]'
	touch $@

clean:
	rm -rf $(VENV) $(OUT) build
