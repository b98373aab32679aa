"""Tests of the batches, from files to tensors."""

import itertools
import os

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.input.bad_records import BadRecords
from deeplab2.input.pipeline import eval_batches, train_batches
from deeplab2.input.testing import (
  TOY,
  random_panoptic,
  toy_example,
  toy_options,
  write_records,
)

NUM_RECORDS = 7


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> str:
  """Two files of three and four records; a pattern for both."""
  folder = tmp_path_factory.mktemp("records")
  examples = [toy_example(i) for i in range(NUM_RECORDS)]
  write_records(folder / "part-0.tfrecord", examples[:3])
  write_records(folder / "part-1.tfrecord", examples[3:])
  return str(folder / "part-*.tfrecord")


def take(batches, count) -> list:
  return [
    tf.nest.map_structure(lambda x: x.numpy(), batch)
    for batch in itertools.islice(batches, count)
  ]


def assert_same(first, second):
  tf.nest.map_structure(np.testing.assert_array_equal, first, second)


def test_training_batches_have_static_shapes(records):
  spec = train_batches(
    toy_options(records), TOY, seed=1, target_stride=4
  ).element_spec
  assert spec.image == tf.TensorSpec([4, 33, 49, 3], tf.float32)
  assert spec.name == tf.TensorSpec([4], tf.string)
  assert spec.valid_size == tf.TensorSpec([4, 2], tf.int32)
  assert spec.raw_size == tf.TensorSpec([4, 2], tf.int32)
  targets = spec.targets
  for maps, dtype in (
    (targets.semantic, tf.int32),
    (targets.semantic_weight, tf.float32),
    (targets.thing_id, tf.int32),
    (targets.crowd, tf.bool),
    (targets.panoptic, tf.int32),
  ):
    assert maps == tf.TensorSpec([4, 9, 13], dtype)
  assert targets.thing_class == tf.TensorSpec([4, 11], tf.int32)


def test_a_resumed_run_sees_what_an_uninterrupted_one_would(records):
  options = toy_options(records)
  whole = take(train_batches(options, TOY, seed=5), 5)
  resumed = take(train_batches(options, TOY, seed=5, start_step=3), 2)
  assert_same(whole[3:], resumed)


def test_colors_and_copy_paste_are_resumed_too(records):
  augmentations = {
    "autoaugment_policy_name": "simple_classification_policy",
    "panoptic_copy_paste": {"panoptic_copy_paste_scale": 1.0},
  }
  options = toy_options(records, augmentations=augmentations)
  whole = take(train_batches(options, TOY, seed=5), 2)
  resumed = take(train_batches(options, TOY, seed=5, start_step=1), 1)
  assert_same(whole[1:], resumed)
  plain = take(train_batches(toy_options(records), TOY, seed=5), 1)
  assert np.any(plain[0].image != whole[0].image)


def test_seeds_differ(records):
  options = toy_options(records)
  first, second = (
    take(train_batches(options, TOY, seed=seed), 1)[0] for seed in (1, 2)
  )
  assert np.any(first.image != second.image)


def test_hosts_together_make_the_global_batch(records):
  options = toy_options(records)
  whole = take(train_batches(options, TOY, seed=5, start_step=1), 2)
  parts = [
    take(
      train_batches(
        options, TOY, seed=5, start_step=1, num_shards=2, shard_index=i
      ),
      2,
    )
    for i in (0, 1)
  ]
  for step in (0, 1):
    joined = tf.nest.map_structure(
      lambda *values: np.concatenate(values), parts[0][step], parts[1][step]
    )
    assert_same(joined, whole[step])


def test_epochs_hold_every_record_and_augment_it_anew(records):
  options = toy_options(records, batch_size=NUM_RECORDS)
  first, second = take(train_batches(options, TOY, seed=5), 2)
  assert sorted(first.name) == sorted(second.name)
  assert len(set(first.name)) == NUM_RECORDS
  assert list(first.name) != list(second.name)
  of_name = dict(zip(second.name, second.image, strict=True))
  assert any(
    np.any(of_name[name] != image)
    for name, image in zip(first.name, first.image, strict=True)
  )


def test_striding_targets_takes_the_pixels_that_the_losses_take(records):
  options = toy_options(records)
  full, strided = (
    take(train_batches(options, TOY, seed=5, target_stride=stride), 1)[0]
    for stride in (1, 4)
  )
  np.testing.assert_array_equal(full.image, strided.image)
  for name, value in strided.targets._asdict().items():
    expected = getattr(full.targets, name)
    if name != "thing_class":
      expected = expected[:, ::4, ::4]
    np.testing.assert_array_equal(value, expected, err_msg=name)


def test_hosts_share_each_batch_of_an_evaluation(records):
  options = toy_options(records)
  whole = take(eval_batches(options, TOY), 3)
  parts = [
    take(eval_batches(options, TOY, num_shards=2, shard_index=i), 3)
    for i in (0, 1)
  ]
  assert [len(part) for part in parts] == [2, 2]
  for number, expected in enumerate(whole):
    joined = tf.nest.map_structure(
      lambda *values: np.concatenate(values), *(p[number] for p in parts)
    )
    count = len(expected.name)
    for left, right in zip(
      tf.nest.flatten(joined), tf.nest.flatten(expected), strict=True
    ):
      np.testing.assert_array_equal(left[:count], right)
    assert not joined.valid_size[count:].any()


def test_evaluation_sees_every_image_once_in_order(records):
  batches = eval_batches(toy_options(records), TOY)
  assert len(batches) == 2
  first, last = take(batches, 3)
  assert first.image.shape == (4, 33, 49, 3)
  assert last.image.shape == (3, 33, 49, 3)
  names = [name.decode() for name in (*first.name, *last.name)]
  assert names == [f"image{i}" for i in range(NUM_RECORDS)]
  np.testing.assert_array_equal(first.raw_size[1], (31, 42))
  np.testing.assert_array_equal(first.valid_size[1], (31, 42))
  np.testing.assert_array_equal(last.raw_size[2], (41, 37))
  np.testing.assert_array_equal(last.valid_size[2], (33, 29))


def test_evaluation_truth_is_the_label_where_nothing_is_resized(records):
  batch = take(eval_batches(toy_options(records), TOY), 1)[0]
  label = random_panoptic(31, 42, seed=1)
  crowd = np.isin(label // 32, TOY.thing_ids) & (label % 32 == 0)
  np.testing.assert_array_equal(
    batch.targets.panoptic[1, :31, :42], np.where(crowd, 0, label)
  )
  np.testing.assert_array_equal(batch.targets.crowd[1, :31, :42], crowd)
  assert not batch.targets.panoptic[1, 31:].any()


def test_unlabelled_images_evaluate_to_nothing(tmp_path):
  path = write_records(tmp_path / "a.tfrecord", [toy_example(0, False)])
  options = toy_options(path, decode_groundtruth_label=False)
  batch = take(eval_batches(options, TOY), 1)[0]
  assert not batch.targets.semantic.any()
  assert (batch.targets.thing_id == -1).all()
  with pytest.raises(ValueError, match="training needs labels"):
    train_batches(options, TOY, seed=1)


def test_a_bad_record_stops_the_iteration_and_is_named(tmp_path):
  path = write_records(tmp_path / "a.tfrecord", [toy_example(0), b"\xff"])
  batches = eval_batches(toy_options(path, batch_size=1), TOY)
  with pytest.raises(
    tf.errors.InvalidArgumentError, match=r"a\.tfrecord, record 1: expected a"
  ):
    take(batches, 2)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory) -> str:
  """Seven records, of which 2 decodes to nothing and 6 is cut off."""
  folder = tmp_path_factory.mktemp("damaged")
  examples = [toy_example(i) for i in range(NUM_RECORDS)]
  examples[2] = b"\xff"
  path = write_records(folder / "a.tfrecord", examples)
  os.truncate(path, os.path.getsize(path) - 1)
  return path


def test_a_resumed_run_passes_over_the_same_records(damaged):
  augmentations = {"panoptic_copy_paste": {"panoptic_copy_paste_scale": 1.0}}
  options = toy_options(damaged, max_bad_records=2, augmentations=augmentations)
  told = []
  bad = BadRecords(2, report=lambda where, problem: told.append(where))
  whole = take(train_batches(options, TOY, seed=5, bad=bad), 6)
  assert bad.count == 2
  assert sorted(told) == [f"{damaged}, record 2", f"{damaged}, record 6"]
  resumed = take(train_batches(options, TOY, seed=5, start_step=4), 2)
  assert_same(whole[4:], resumed)
  names = {name.decode() for batch in whole for name in batch.name}
  assert names == {f"image{i}" for i in (0, 1, 3, 4, 5)}


def test_an_evaluation_has_a_hole_where_a_record_is_bad(damaged):
  options = toy_options(damaged, max_bad_records=2)
  first, last = take(eval_batches(options, TOY), 2)
  names = [name.decode() for name in (*first.name, *last.name)]
  assert names == ["image0", "image1", "", "image3", "image4", "image5", ""]
  valid = np.concatenate([first.valid_size, last.valid_size])
  np.testing.assert_array_equal(valid[[2, 6]], -1)
  assert (np.delete(valid, [2, 6], axis=0) > 0).all()


def test_one_bad_record_too_many_ends_the_iteration(damaged):
  options = toy_options(damaged, max_bad_records=1)
  with pytest.raises(tf.errors.InvalidArgumentError, match="at most 1 bad rec"):
    take(train_batches(options, TOY, seed=5), 6)
  options.max_bad_records = 0
  with pytest.raises(ValueError, match=r"a\.tfrecord: cut short: the record"):
    train_batches(options, TOY, seed=5)


def test_wrong_arguments_are_refused_before_any_work():
  options = toy_options("no/such/file")
  with pytest.raises(ValueError, match=r"file_pattern: .*nothing matches"):
    train_batches(options, TOY, seed=1)
  with pytest.raises(ValueError) as error:
    train_batches(options, TOY, seed=1, num_shards=3, shard_index=0)
  assert str(error.value) == (
    "batch_size: expected a multiple of the 3 hosts; got 4."
  )
  with pytest.raises(ValueError) as error:
    train_batches(options, TOY, seed=1, num_shards=2, shard_index=2)
  assert str(error.value) == "shard_index: expected 0..1; got 2."
  with pytest.raises(ValueError) as error:
    train_batches(options, TOY, seed=1, target_stride=5)
  assert str(error.value) == (
    "target_stride: expected a divisor of each side of crop_size less 1, such "
    "as 4 for 641; got 5 for (33, 49)."
  )
  options.max_resize_value[:] = (65, 65)
  with pytest.raises(ValueError) as error:
    eval_batches(options, TOY)
  assert str(error.value) == (
    "max_resize_value: expected at most the crop size (33, 49), into which "
    "evaluation fits each image; got (65, 65)."
  )
