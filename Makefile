# Everything from a fresh clone: each target makes .venv first where it is needed.
# A machine needs git, make and Python 3.11, 3.12 or 3.13; uv is used if there.

VENV := .venv
DEMO := demo
RUN := $(VENV)/bin/python
READY := $(VENV)/ready

.PHONY: help test demo check protos docs figures clean

help:
	@echo "make test    run the tests"
	@echo "make demo    draw data, train a small MaX-DeepLab, score and export it"
	@echo "make check   lint, format and spelling, as a change has to pass them"
	@echo "make docs    write the generated pages of g3doc again"
	@echo "make figures measure again what g3doc/performance.md says"
	@echo "make protos  compile the .proto files again"
	@echo "make clean   remove what these targets made"

# By file, because what a module's tests share is made once in each process.
test: $(READY)
	$(RUN) -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile $(ARGS)

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

# A quarter to half an hour on two cores, which should have nothing else to do.
MEASURE := $(RUN) evaluation/benchmark.py --config_file=max_deeplab_s \
  --page=g3doc/performance.md
PICTURES := g3doc/images
# COCO with ids that leave room for a thousand instances, and slots.
WIDE_COCO := import dataclasses; from deeplab2.datasets import coco; \
  print(dataclasses.replace(coco.COCO_PANOPTIC, divisor=1024).to_json())
figures: $(READY)
	$(MEASURE) --page_block=prediction --size=641 \
	  --parts=model,machine,network,prediction,postprocess \
	  --precisions=float32,mixed_bfloat16
	$(MEASURE) --page_block=operations --size=641 --parts=operations \
	  --precisions=float32,mixed_bfloat16 \
	  --picture=$(PICTURES)/operations.png
	$(MEASURE) --page_block=training --size=321 --batch=2 \
	  --parts=train_step,loss,matching --precisions=float32,mixed_bfloat16
	$(MEASURE) --page_block=size --size=129,321,641,1025 --repeats=5 \
	  --parts=prediction,postprocess,loss,quality \
	  --picture=$(PICTURES)/growth_size.png
	$(MEASURE) --page_block=batch --size=321 --batch=1,2,4,8 --repeats=5 \
	  --parts=prediction,postprocess,loss \
	  --picture=$(PICTURES)/growth_batch.png
	mkdir -p build && $(RUN) -c "$(WIDE_COCO)" > build/wide_coco.json
	$(MEASURE) --page_block=slots --size=641 --slots=32,64,128,256,512 \
	  --parts=postprocess,loss,matching --repeats=5 \
	  --set train_dataset_options.dataset=build/wide_coco.json \
	  --set eval_dataset_options.dataset=build/wide_coco.json \
	  --picture=$(PICTURES)/growth_slots.png

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
