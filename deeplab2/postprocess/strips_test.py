from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.layers.resize import resize_align_corners
from deeplab2.postprocess import strips

B, h, w, H, W, N = 2, 5, 7, 17, 23, 3


class Maps(NamedTuple):
  total: tf.Tensor
  best: tf.Tensor


TYPES = Maps("float32", "int32")


def reduce_slots(logits):
  return Maps(
    tf.reduce_sum(logits, axis=-1),
    tf.argmax(logits, axis=-1, output_type=tf.int32),
  )


def random_logits():
  rng = np.random.default_rng(0)
  return tf.constant(rng.normal(size=(B, h, w, N)), tf.float32)


@pytest.mark.parametrize("rows", [0, 4, 8, 12, 16, 20, 1000])
def test_strips_do_not_show(rows):
  logits = random_logits()
  expected = reduce_slots(resize_align_corners(logits, (H, W)))
  result = strips.reduce_upsampled(
    (logits,), (H, W), reduce_slots, TYPES, strip_values=rows * B * W * N
  )
  np.testing.assert_allclose(result.total, expected.total, atol=1e-5)
  np.testing.assert_array_equal(result.best, expected.best)


@pytest.mark.parametrize("size", [(h, w), (9, 3), (13, 1), (29, 31)])
def test_any_whole_ratio_works(size):
  logits = random_logits()
  expected = reduce_slots(resize_align_corners(logits, size))
  result = strips.reduce_upsampled((logits,), size, reduce_slots, TYPES)
  np.testing.assert_allclose(result.total, expected.total, atol=1e-5)


def test_a_single_row_of_logits_is_a_single_row_of_maps():
  logits = random_logits()[:, :1]
  result = strips.reduce_upsampled((logits,), (1, W), reduce_slots, TYPES)
  expected = reduce_slots(resize_align_corners(logits, (1, W)))
  np.testing.assert_allclose(result.total, expected.total, atol=1e-5)


def test_other_ratios_are_refused():
  with pytest.raises(ValueError) as error:
    strips.reduce_upsampled((random_logits(),), (18, W), reduce_slots, TYPES)
  assert str(error.value) == (
    "size: expected a height of k * 4 + 1 for 5 rows of logits, such as 17; "
    "got 18."
  )


def test_groups_are_reduced_together():
  logits = random_logits()
  result = strips.reduce_upsampled(
    (logits[..., :1], logits[..., 1:]),
    (H, W),
    lambda *groups: reduce_slots(tf.concat(groups, axis=-1)),
    TYPES,
    strip_values=4 * B * W * N,
  )
  expected = reduce_slots(resize_align_corners(logits, (H, W)))
  np.testing.assert_array_equal(result.best, expected.best)


def test_no_strip_is_larger_than_allowed_by_more_than_a_row():
  sizes = []

  def spy(logits):
    sizes.append(int(tf.size(logits)))
    return reduce_slots(logits)

  limit = 8 * B * W * N  # of the 20 rows that five of the logits stand for
  strips.reduce_upsampled((random_logits(),), (H, W), spy, TYPES, limit)
  assert sizes == [limit + B * W * N] * 3


def test_known_sizes_stay_known():
  merge = tf.function(
    lambda x: strips.reduce_upsampled((x,), (H, W), reduce_slots, TYPES)
  )
  graph = merge.get_concrete_function(tf.TensorSpec((B, h, w, N)))
  assert graph.structured_outputs.best.shape.rank == 3


def test_compiles_where_sizes_are_known():
  merge = lambda x: strips.reduce_upsampled(
    (x,), (H, W), reduce_slots, TYPES, strip_values=4 * B * W * N
  )
  result = tf.function(merge, jit_compile=True)(random_logits())
  np.testing.assert_allclose(
    result.total, merge(random_logits()).total, atol=1e-5
  )


@pytest.mark.parametrize("compiled, at_a_time", [(False, 1), (True, 2)])
def test_a_graph_works_at_two_strips(compiled, at_a_time, monkeypatch):
  """TensorFlow warns of more than one where it cannot."""
  seen, loop = [], tf.map_fn

  def spy(*arguments, **options):
    seen.append(options["parallel_iterations"])
    return loop(*arguments, **options)

  monkeypatch.setattr(tf, "map_fn", spy)
  merge = lambda x: strips.reduce_upsampled((x,), (H, W), reduce_slots, TYPES)
  (tf.function(merge) if compiled else merge)(random_logits())
  assert seen == [at_a_time]
