"""A model that is small enough to be measured within a test."""

import pytest

from deeplab2.benchmark.jobs import Job

CONFIG = "shapes/max_deeplab_tiny"
OVERRIDES = (
  "DATA_DIR=unused",
  "train_dataset_options.dataset=coco_panoptic",
  "eval_dataset_options.dataset=coco_panoptic",
  "model_options.max_deeplab.auxiliary_semantic_head.output_channels=134",
  "model_options.backbone.num_mask_slots=29",
)


def small_job(part: str, **changes) -> Job:
  fields = {"size": 33, "repeats": 2}
  return Job(
    part=part, config_file=CONFIG, overrides=OVERRIDES, **fields | changes
  )


@pytest.fixture(scope="package")
def experiment():
  from deeplab2.config import load_experiment

  overrides = small_job("loss").experiment_overrides()
  return load_experiment(CONFIG, overrides, search_files=False)


@pytest.fixture(scope="package")
def architecture(experiment):
  from deeplab2.models import build_meta_architecture

  return build_meta_architecture(experiment)
