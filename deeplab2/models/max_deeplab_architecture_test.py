import pytest

from deeplab2.config import load_experiment
from deeplab2.datasets import load_dataset
from deeplab2.losses.max_deeplab_loss import Term
from deeplab2.losses.sampling import PixelSampling
from deeplab2.models.max_deeplab_architecture import (
  max_deeplab_loss,
  max_deeplab_postprocess,
)
from deeplab2.postprocess.maskwise import merge_maskwise
from deeplab2.postprocess.pixelwise import PixelwiseThresholds, merge_pixelwise

COCO = load_dataset("coco_panoptic")
LOSSES = "trainer_options.loss_options"
HEADS = "model_options.max_deeplab"


def experiment(*overrides):
  filled = ("TRAIN_SET=none", "VAL_SET=none", "INIT_CHECKPOINT=")
  return load_experiment(
    "max_deeplab_s", overrides=(*filled, *overrides), search_files=False
  )


def test_the_loss_of_the_recipe():
  loss = max_deeplab_loss(experiment(), COCO)
  assert loss.layout == COCO.layout
  assert loss.pq_style_weight == 3.0
  assert loss.mask_id.weight == pytest.approx(0.3)
  assert loss.instance == loss.semantic == Term(weight=1.0)
  assert loss.instance_sampling is loss.semantic_sampling is None
  assert loss.solver == "host"


def test_every_option_of_the_loss_arrives():
  options = experiment(
    f"{LOSSES}.semantic_loss.top_k_percent=0.5",
    f"{HEADS}.instance_discrimination_sample_k=17",
    f"{HEADS}.instance_discrimination_sample_temperature=0.25",
    f"{HEADS}.semantic_sample_k=19",
    f"{HEADS}.semantic_sample_temperature=2",
    f"{LOSSES}.matching=original",
  )
  loss = max_deeplab_loss(options, COCO)
  assert loss.semantic == Term(weight=1.0, top_k_percent=0.5)
  assert loss.instance_sampling == PixelSampling(pixels=17, temperature=0.25)
  assert loss.semantic_sampling == PixelSampling(pixels=19, temperature=2.0)
  assert loss.solver == "original"


def test_a_compiled_step_matches_without_the_host():
  compiled = "trainer_options.jit_compile=true"
  assert max_deeplab_loss(experiment(compiled), COCO).solver == "compiled"
  options = experiment(compiled, f"{LOSSES}.matching=original")
  with pytest.raises(ValueError) as error:
    max_deeplab_loss(options, COCO)
  assert str(error.value) == (
    "trainer_options.loss_options.matching: expected 'exact' with "
    "trainer_options.jit_compile, which has no host; got 'original'."
  )


def test_the_merging_has_the_thresholds_of_the_recipe():
  merge = max_deeplab_postprocess(experiment(), COCO)
  assert merge.func is merge_pixelwise
  found = merge.keywords["thresholds"]
  assert (found.thing_area, found.stuff_area) == (100, 1600)
  assert found.class_confidence == pytest.approx(0.7)
  assert found.pixel_confidence == pytest.approx(0.4)
  assert isinstance(found, PixelwiseThresholds)


def test_maskwise_merging_can_be_chosen():
  options = experiment(
    "evaluator_options.transformer_post_processing=maskwise",
    "evaluator_options.transformer_class_confidence_threshold=",
    "evaluator_options.maskwise_postprocessing.overlapping_threshold=0.25",
  )
  merge = max_deeplab_postprocess(options, COCO)
  assert merge.func is merge_maskwise
  assert merge.keywords["thresholds"].visible_fraction == 0.25
