import numpy as np
import pytest

from deeplab2.layers.axial_attention import (
  HEIGHT,
  WIDTH,
  AxialAttention,
  AxialAttention2D,
)
from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.relative_position import MAX_SPAN

B, H, W, C = 2, 5, 7, 3
K, V, HEADS = 16, 24, 8
NORM = NormOptions()


def _randomize(layer, seed=0):
  rng = np.random.default_rng(seed)
  for variable in layer.variables:
    low = 0.5 if "variance" in variable.name else -1.0
    variable.assign(rng.uniform(low, 1.0, variable.shape))


def _batch_norm(layer, x):
  gamma, beta, mean, variance = (
    np.array(v)
    for v in (
      layer.gamma,
      layer.beta,
      layer.moving_mean,
      layer.moving_variance,
    )
  )
  return (x - mean) / np.sqrt(variance + NORM.epsilon) * gamma + beta


def _all_pairs(table, length):
  """The encoding of each query and key, l m d."""
  place = np.arange(length)
  return table[place[None, :] - place[:, None] + MAX_SPAN - 1]


def _attend_slowly(layer, x):
  """One query, head and sample at a time."""
  batch, length, _ = x.shape
  qkv = _batch_norm(layer.batch_norm_qkv, x @ np.array(layer.qkv_kernel))
  query, key, value = np.split(qkv, [K, 2 * K], axis=-1)
  rpe = {
    name: _all_pairs(np.array(getattr(layer, f"{name}_rpe").embeddings), length)
    for name in ("query", "key", "value")
  }
  k, v = K // HEADS, V // HEADS
  terms = np.zeros((3, batch, HEADS, length, length))
  for b, n, i, j in np.ndindex(batch, HEADS, length, length):
    q_i = query[b, i, n * k : (n + 1) * k]
    k_j = key[b, j, n * k : (n + 1) * k]
    terms[:, b, n, i, j] = (
      q_i @ k_j,
      q_i @ rpe["query"][i, j],
      k_j @ rpe["key"][i, j],
    )
  logits = _batch_norm(layer.batch_norm_similarity, terms).sum(0)
  weights = np.exp(logits - logits.max(-1, keepdims=True))
  weights /= weights.sum(-1, keepdims=True)
  retrieved = np.zeros((2, batch, HEADS, length, v))
  for b, n, i, j in np.ndindex(batch, HEADS, length, length):
    v_j = value[b, j, n * v : (n + 1) * v]
    retrieved[0, b, n, i] += weights[b, n, i, j] * v_j
    retrieved[1, b, n, i] += weights[b, n, i, j] * rpe["value"][i, j]
  y = _batch_norm(layer.batch_norm_retrieved_output, retrieved).sum(0)
  return y.transpose(0, 2, 1, 3).reshape(batch, length, V)


@pytest.mark.parametrize("axis", [HEIGHT, WIDTH])
def test_attention_agrees_with_loops(axis):
  layer = AxialAttention(K, V, NORM, axis=axis)
  x = np.random.default_rng(1).normal(size=(B, H, W, C)).astype("float32")
  layer(x)
  _randomize(layer)
  y = np.moveaxis(np.array(layer(x)), axis, 2)
  sequences = np.moveaxis(x, axis, 2)
  for i in range(sequences.shape[1]):
    expected = _attend_slowly(layer, sequences[:, i])
    np.testing.assert_allclose(y[:, i], expected, atol=1e-4)


def test_a_factor_of_zero_leaves_the_other_logits():
  layer = AxialAttention(K, V, NORM, axis=WIDTH)
  x = np.random.default_rng(1).normal(size=(B, H, W, C)).astype("float32")
  layer(x)
  _randomize(layer)
  gamma = np.array(layer.batch_norm_similarity.gamma)
  gamma[0, :, 2:5] = 0  # of three heads, products of queries and keys
  layer.batch_norm_similarity.gamma.assign(gamma)
  expected = [_attend_slowly(layer, rows) for rows in np.moveaxis(x, 1, 0)]
  np.testing.assert_allclose(layer(x), np.moveaxis(expected, 0, 1), atol=1e-4)


def test_training_differs_by_the_statistics_alone():
  """With its batch's moments as averages, a layer repeats what it trained."""
  layer = AxialAttention(K, V, NormOptions(momentum=0.0), axis=WIDTH)
  x = np.random.default_rng(1).normal(size=(B, H, W, C)).astype("float32")
  layer(x)
  _randomize(layer)
  np.testing.assert_allclose(layer(x, training=True), layer(x), atol=1e-4)


def test_height_then_width():
  layer = AxialAttention2D(K, V, NORM)
  x = np.random.default_rng(1).normal(size=(B, H, W, C)).astype("float32")
  y = np.array(layer(x))
  middle = layer.height_axis(x)
  np.testing.assert_array_equal(y, layer.width_axis(middle))


def test_a_column_does_not_see_the_next_before_the_width_pass():
  layer = AxialAttention2D(K, V, NORM)
  x = np.random.default_rng(1).normal(size=(B, H, W, C)).astype("float32")
  layer(x)
  one, other = x.copy(), x.copy()
  other[:, :, 3] += 1
  column = np.array(layer.height_axis(one))[:, :, 2]
  again = np.array(layer.height_axis(other))[:, :, 2]
  np.testing.assert_allclose(column, again, atol=1e-6)
  # ... but the whole sees everything.
  changed = np.abs(np.array(layer(one)) - np.array(layer(other)))
  assert (changed.max(axis=(0, 3)) > 0).all()


def test_one_layer_serves_every_length():
  layer = AxialAttention2D(K, V, NORM)
  assert layer(np.zeros((B, H, W, C))).shape == (B, H, W, V)
  assert layer(np.zeros((B, W, H, C))).shape == (B, W, H, V)


@pytest.mark.parametrize(
  "depths, name, got", [((12, V), "key", 12), ((K, 4), "value", 4)]
)
def test_depths_that_the_heads_cannot_share_are_refused(depths, name, got):
  with pytest.raises(ValueError) as error:
    AxialAttention(*depths, NORM, axis=WIDTH)
  assert str(error.value) == (
    f"axial attention {name} depth: expected a multiple of the 8 heads, such "
    f"as 128; got {got}. Change the width multiplier or expansion."
  )
