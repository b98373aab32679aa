import numpy as np
import pytest
import tensorflow as tf

from deeplab2.benchmark.multiply_adds import (
  count_multiply_adds,
  einsum_multiply_adds,
)

B, H, W, C, D = 2, 13, 11, 3, 5


def _graph(function, *shapes):
  specs = [tf.TensorSpec(shape) for shape in shapes]
  return tf.function(function).get_concrete_function(*specs).graph


def _total(graph) -> dict[str, int]:
  total = {}
  for kinds in count_multiply_adds(graph).values():
    for kind, count in kinds.items():
      total[kind] = total.get(kind, 0) + count
  return {kind: count for kind, count in total.items() if count}


def test_a_convolution_is_its_outputs_times_window_and_channels():
  def function(x, kernel):
    return tf.nn.conv2d(x, kernel, 2, "SAME")

  graph = _graph(function, (B, H, W, C), (3, 5, C, D))
  assert _total(graph) == {"convolution": B * 7 * 6 * D * 3 * 5 * C}


def test_of_a_grouped_convolution_each_output_sees_its_group():
  def function(x, kernel):
    return tf.nn.conv2d(x, kernel, 1, "SAME")

  graph = _graph(function, (B, H, W, 2 * C), (3, 3, C, 2 * D))
  assert _total(graph) == {"convolution": B * H * W * 2 * D * 9 * C}


def test_a_depthwise_convolution_has_one_channel_of_input():
  def function(x, kernel):
    return tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "VALID")

  graph = _graph(function, (B, H, W, C), (5, 3, C, 2))
  assert _total(graph) == {"depthwise": B * 9 * 9 * C * 2 * 15}


@pytest.mark.parametrize("transposed", [False, True])
def test_a_matmul_is_its_three_extents(transposed):
  def function(x, y):
    return tf.matmul(x, y, transpose_a=transposed)

  flat = _graph(function, (C, D)[:: -1 if transposed else 1], (D, H))
  assert _total(flat) == {"matmul": C * D * H}
  batch = (B, W, *(C, D)[:: -1 if transposed else 1])
  assert _total(_graph(function, batch, (B, W, D, H))) == {
    "matmul": B * W * C * D * H
  }


def test_an_einsum_is_all_its_letters():
  graph = _graph(
    lambda x, y: tf.einsum("bld,lmd->blm", x, y), (B, H, D), (H, W, D)
  )
  assert _total(graph) == {"einsum": B * H * W * D}


@pytest.mark.parametrize("seed", range(3))
def test_einsums_agree_with_a_loop_over_all_indices(seed):
  rng = np.random.default_rng(seed)
  extents = dict(zip("abcd", rng.integers(1, 5, 4).tolist(), strict=True))
  left, right = "abc", "cdb"
  shapes = [tuple(extents[c] for c in term) for term in (left, right)]
  steps = sum(1 for _ in np.ndindex(*extents.values()))
  assert einsum_multiply_adds("abc,cdb->ad", *shapes) == steps


def test_an_ellipsis_is_what_it_broadcasts_to():
  assert einsum_multiply_adds(
    "...ij,...jk->...ik", (7, 1, 2, 3), (5, 3, 4)
  ) == (7 * 5 * 2 * 3 * 4)


def test_counts_are_kept_by_the_scope_of_the_layer():
  def function(x, y):
    with tf.name_scope("model"), tf.name_scope("head"):
      first = tf.matmul(x, y)
    return tf.matmul(x, y) + first

  counts = count_multiply_adds(_graph(function, (C, D), (D, H)))
  assert {scope: kinds["matmul"] for scope, kinds in counts.items()} == {
    "head": C * D * H,
    "": C * D * H,
  }


def test_what_cannot_be_counted_is_an_error():
  unknown = _graph(lambda x, y: tf.matmul(x, y), (None, D), (D, H))
  with pytest.raises(ValueError, match=r"MatMul: expected static shapes; got"):
    count_multiply_adds(unknown)
  hidden = _graph(lambda x: tf.function(tf.matmul)(x, x), (C, C))
  with pytest.raises(ValueError) as caught:
    count_multiply_adds(hidden)
  assert str(caught.value) == (
    "graph: expected products among ['BatchMatMulV2', 'Conv2D', "
    "'DepthwiseConv2dNative', 'Einsum', 'MatMul'], none of them in called "
    "functions; got ['MatMul']."
  )
