"""Images and targets of one record with augmentation off, and resizing."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.datasets.coco import COCO_PANOPTIC
from deeplab2.input.pipeline import eval_batches
from deeplab2.layers.resize import resize_align_corners
from tests.parity import networks
from tests.parity.recordings import below, recording

RESIZES = range(5)


def options(tmp_path, *overrides):
  """A crop of 97x129 around a record of 83x101, as it was recorded."""
  path = str(tmp_path / "one.tfrecord")
  with tf.io.TFRecordWriter(path) as writer:
    writer.write(recording("input")["record"].tobytes())
  split = "eval_dataset_options"
  return networks.experiment(
    networks.SMALL,
    f"{split}.file_pattern={path}",
    f"{split}.batch_size=1",
    f"{split}.increase_small_instance_weights=true",
    f"{split}.small_instance_threshold=600",
    f"{split}.small_instance_weight=3",
    f"{split}.max_thing_id=16",
    *(f"{split}.{override}" for override in overrides),
    size=(97, 129),
  ).eval_dataset_options


@pytest.mark.parametrize(
  ("name", "low", "high"), [("whole", "", ""), ("resized", 49, 65)]
)
def test_image_and_targets(tmp_path, name, low, high):
  settings = options(
    tmp_path, f"min_resize_value={low}", f"max_resize_value={high}"
  )
  (batch,) = eval_batches(settings, COCO_PANOPTIC)
  expected = below(recording("input"), f"{name}/")
  np.testing.assert_allclose(batch.image, expected["image"], atol=1e-4)
  found = {
    "semantic_gt": batch.targets.semantic,
    "semantic_loss_weight": batch.targets.semantic_weight,
    "thing_id_mask_gt": batch.targets.thing_id,
    "thing_id_class_gt": batch.targets.thing_class,
    "is_crowd_gt": batch.targets.crowd,
    "size_raw": batch.raw_size,
  }
  for key, value in found.items():
    np.testing.assert_array_equal(value, expected[key], err_msg=key)
  # On purpose: in the map that evaluation reads, crowds are void already.
  crowds_void = np.where(expected["is_crowd_gt"], 0, expected["panoptic_gt"])
  np.testing.assert_array_equal(batch.targets.panoptic, crowds_void)
  assert (expected["panoptic_gt"] != crowds_void).any()
  size = expected["resized_image"].shape[1:3]
  np.testing.assert_array_equal(batch.valid_size[0], size)


def test_the_sample_has_all_that_is_particular():
  whole = below(recording("input"), "whole/")
  assert whole["is_crowd_gt"].any()
  assert set(np.unique(whole["semantic_loss_weight"])) == {1, 3}
  assert (whole["thing_id_class_gt"] >= 0).sum() == 5
  assert (whole["image"][0, 83:] == 127.5).all()


@pytest.mark.parametrize("i", RESIZES)
def test_resize_with_aligned_corners(i):
  arrays = below(recording("resize"), f"{i}/")
  actual = resize_align_corners(arrays["input"], tuple(arrays["size"]))
  np.testing.assert_allclose(actual, arrays["output"], atol=1e-6)


def test_resizes_are_up_and_down_at_odd_sizes_and_from_a_single_row():
  arrays = recording("resize")
  factors = []
  for i in RESIZES:
    height, width = arrays[f"{i}/input"].shape[1:3]
    factors += list(np.sign(arrays[f"{i}/size"] - (height, width)))
  assert {-1, 1} <= set(factors)
  assert any(arrays[f"{i}/input"].shape[1] == 1 for i in RESIZES)
