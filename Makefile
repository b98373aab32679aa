# Everything from a fresh clone: each target makes .venv first where it is needed.
# A machine needs git, make and Python 3.11, 3.12 or 3.13; uv is used if there.

VENV := .venv
DEMO := demo
RUN := $(VENV)/bin/python
READY := $(VENV)/ready

.PHONY: help test demo check protos docs clean

help:
	@echo "make test    run the tests"
	@echo "make demo    draw data, train a small MaX-DeepLab, score and export it"
	@echo "make check   lint, format and spelling, as a change has to pass them"
	@echo "make docs    write the generated pages of g3doc again"
	@echo "make protos  compile the .proto files again"
	@echo "make clean   remove what these targets made"

test: $(READY)
	$(RUN) -m pytest $(ARGS)

# Interrupted, it goes on where it was when run again.
demo: $(READY)
	$(RUN) data/build_shapes_data.py --output_dir=$(DEMO)/coco \
	  --num_train=4000 --num_val=200
	$(RUN) data/build_coco_data.py --coco_root=$(DEMO)/coco \
	  --output_dir=$(DEMO)/records
	$(RUN) trainer/train.py --config_file=max_deeplab_tiny \
	  --mode=train_and_eval --model_dir=$(DEMO)/model \
	  --set DATA_DIR=$(DEMO)/records
	$(RUN) trainer/export_model.py --checkpoint_path=$(DEMO)/model \
	  --output_path=$(DEMO)/exported --overwrite
	$(RUN) evaluation/predict.py --model=$(DEMO)/exported \
	  --input=$(DEMO)/coco/val2017 --output_dir=$(DEMO)/predictions
	$(RUN) evaluation/report.py --model_dir=$(DEMO)/model
	@echo "exported  $(DEMO)/exported"
	@echo "predicted $(DEMO)/predictions"

check: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/codespell

docs: $(READY)
	$(RUN) -m deeplab2.config.reference > g3doc/config_reference.md

# Newer compilers write code that refuses the older protobufs we allow. The last
# one that does not has wheels for Python 3.11 and 3.12.
protos:
	@set -e; python="$$(./.ci/find_python '(3, 11)' '(3, 13)')"; \
	"$$python" -m venv --clear build/protoc; \
	build/protoc/bin/python -m pip install --quiet grpcio-tools==1.62.3
	build/protoc/bin/python -m grpc_tools.protoc -I. --python_out=. \
	  deeplab2/config/*.proto

clean:
	rm -rf $(VENV) $(DEMO) build *.egg-info

$(READY): setup.py pyproject.toml
	./.ci/environment $(VENV)
