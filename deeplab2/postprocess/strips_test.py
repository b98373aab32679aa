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


TYPES = Maps(tf.float32, tf.int32)


def reduce_slots(logits):
  return Maps(
    tf.reduce_sum(logits, axis=-1),
    tf.argmax(logits, axis=-1, output_type=tf.int32),
  )


def random_logits():
  rng = np.random.default_rng(0)
  return tf.constant(rng.normal(size=(B, h, w, N)), tf.float32)


@pytest.mark.parametrize("rows", [1, 2, 5, 16, 17, 1000])
def test_strips_do_not_show(rows):
  logits = random_logits()
  expected = reduce_slots(resize_align_corners(logits, (H, W)))
  result = strips.reduce_upsampled(
    logits, (H, W), reduce_slots, TYPES, strip_values=rows * B * W * N
  )
  np.testing.assert_allclose(result.total, expected.total, atol=1e-5)
  np.testing.assert_array_equal(result.best, expected.best)


@pytest.mark.parametrize("size", [(1, 1), (h, w), (2, 3), (3, 1)])
def test_any_size_works_even_smaller_ones(size):
  logits = random_logits()
  expected = reduce_slots(resize_align_corners(logits, size))
  result = strips.reduce_upsampled(logits, size, reduce_slots, TYPES)
  np.testing.assert_allclose(result.total, expected.total, atol=1e-5)


def test_no_strip_is_larger_than_allowed():
  sizes = []

  def spy(logits):
    sizes.append(int(tf.size(logits)))
    return reduce_slots(logits)

  limit = 4 * B * W * N
  strips.reduce_upsampled(random_logits(), (H, W), spy, TYPES, limit)
  assert len(sizes) == 5
  assert max(sizes) <= limit


def test_known_sizes_stay_known():
  merge = tf.function(
    lambda x: strips.reduce_upsampled(x, (H, W), reduce_slots, TYPES)
  )
  graph = merge.get_concrete_function(tf.TensorSpec((B, h, w, N)))
  assert graph.structured_outputs.best.shape.rank == 3


def test_compiles_where_sizes_are_known():
  merge = lambda x: strips.reduce_upsampled(
    x, (H, W), reduce_slots, TYPES, strip_values=3 * B * W * N
  )
  result = tf.function(merge, jit_compile=True)(random_logits())
  np.testing.assert_allclose(
    result.total, merge(random_logits()).total, atol=1e-5
  )
