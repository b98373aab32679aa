import keras
import numpy as np
import pytest

from deeplab2.layers.batch_norm import (
  BatchNorm,
  NormOptions,
  deferred_updates,
)

T, B, N, L, D = 3, 5, 2, 7, 11
NORM = NormOptions(momentum=0.9, epsilon=1e-3)


def _sample(seed=0):
  return np.random.default_rng(seed).normal(2.0, 3.0, (T, B, N, L, D))


def _randomize(layer, seed=1):
  rng = np.random.default_rng(seed)
  for variable in layer.variables:
    variable.assign(rng.uniform(0.5, 1.5, variable.shape))


@pytest.mark.parametrize("axes", [(-1,), (1,), (0, 2), (0, 2, 4)])
def test_evaluation_agrees_with_the_formula(axes):
  layer = BatchNorm(NORM, axes=axes)
  x = _sample()
  layer(x)
  _randomize(layer)
  shape = [x.shape[i] if i in {a % 5 for a in axes} else 1 for i in range(5)]
  gamma, beta, mean, variance = (
    np.reshape(keras.ops.convert_to_numpy(v), shape) for v in layer.variables
  )
  expected = (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta
  np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-5)


def test_the_last_axis_may_be_split_in_the_checkpoint():
  split = BatchNorm(NORM, parameter_shape=(1, D, 1))
  plain = BatchNorm(NORM)
  x = _sample()
  for layer in (split, plain):
    layer.build((None, D))
    _randomize(layer)
  assert split.gamma.shape == (1, D, 1)
  for training in (True, False):
    np.testing.assert_array_equal(
      split(x, training=training), plain(x, training=training)
    )
  np.testing.assert_array_equal(np.ravel(split.moving_mean), plain.moving_mean)


@pytest.mark.parametrize("axes", [(-1,), (0, 2)])
def test_the_gradient_is_that_of_the_formula(axes):
  """However the backend computes it; in float64, by differences."""
  tf = pytest.importorskip("tensorflow")
  layer = BatchNorm(NORM, axes=axes)
  x = tf.constant(_sample(), tf.float32)
  layer(x)
  _randomize(layer)
  weight = np.random.default_rng(2).normal(size=x.shape)
  step = np.random.default_rng(3).normal(size=x.shape)
  with tf.GradientTape() as tape:
    tape.watch(x)
    total = tf.reduce_sum(weight.astype("float32") * layer(x, training=True))
  slope = np.sum(step * np.array(tape.gradient(total, x), np.float64))
  reduced = tuple(i for i in range(5) if i not in {a % 5 for a in axes})
  shape = [x.shape[i] if i not in reduced else 1 for i in range(5)]
  gamma = np.reshape(np.array(layer.gamma, np.float64), shape)

  def value(shift):
    y = _sample() + shift * step
    mean, variance = (
      f(y, axis=reduced, keepdims=True) for f in (np.mean, np.var)
    )
    return np.sum(weight * gamma * (y - mean) / np.sqrt(variance + 1e-3))

  expected = (value(1e-5) - value(-1e-5)) / 2e-5
  np.testing.assert_allclose(slope, expected, rtol=1e-4)


@pytest.mark.parametrize("axes", [(-1,), (0, 2), (0, 2, 4)])
def test_training_gives_zero_mean_and_unit_variance_on_each_place(axes):
  y = np.array(BatchNorm(NORM, axes=axes)(_sample(), training=True))
  reduced = tuple(i for i in range(5) if i not in {a % 5 for a in axes})
  np.testing.assert_allclose(y.mean(axis=reduced), 0, atol=1e-5)
  np.testing.assert_allclose(y.var(axis=reduced), 1, atol=1e-2)


def test_parameters_have_the_shapes_of_the_checkpoint():
  shapes = {}
  for axes in ((-1,), (1,), (0, 2), (0, 2, 4)):
    layer = BatchNorm(NORM, axes=axes)
    layer.build((T, B, N, L, D))
    assert len({tuple(v.shape) for v in layer.variables}) == 1
    shapes[axes] = tuple(layer.gamma.shape)
  assert shapes == {
    (-1,): (D,),
    (1,): (B,),
    (0, 2): (T, 1, N, 1, 1),
    (0, 2, 4): (T, 1, N, 1, D),
  }


@pytest.mark.parametrize("axes", [(-1,), (0, 2)])
def test_averages_move_by_one_minus_momentum_in_training_only(axes):
  layer = BatchNorm(NORM, axes=axes)
  x = _sample()
  layer(x)
  np.testing.assert_array_equal(layer.moving_mean, 0)
  layer(x, training=True)
  reduced = tuple(i for i in range(5) if i not in {a % 5 for a in axes})
  shape = layer.moving_mean.shape
  mean, variance = (
    f(x, axis=reduced).reshape(shape) for f in (np.mean, np.var)
  )
  np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=1e-5)
  np.testing.assert_allclose(
    layer.moving_variance, 0.9 + 0.1 * variance, rtol=1e-5
  )


def test_deferred_updates_are_owed_and_can_be_paid():
  layer = BatchNorm(NORM)
  x = _sample()
  with deferred_updates() as updates:
    layer(x, training=True)
  np.testing.assert_array_equal(layer.moving_mean, 0)
  ((owner, mean, variance),) = updates
  owner.update_averages(mean, variance)
  np.testing.assert_allclose(
    layer.moving_mean, 0.1 * x.mean(axis=(0, 1, 2, 3)), rtol=1e-5
  )


def test_inner_deferral_does_not_leak_into_the_outer():
  layer = BatchNorm(NORM)
  with deferred_updates() as outer:
    with deferred_updates() as inner:
      layer(_sample(), training=True)
    layer(_sample(), training=True)
  assert (len(outer), len(inner)) == (1, 1)


def test_a_frozen_layer_keeps_its_statistics():
  layer = BatchNorm(NORM)
  x = _sample()
  layer(x)
  layer.trainable = False
  np.testing.assert_array_equal(layer(x, training=True), layer(x))
  np.testing.assert_array_equal(layer.moving_mean, 0)


def test_bfloat16_is_normalized_in_float32():
  layer = BatchNorm(NORM, dtype="mixed_bfloat16")
  x = (300 + _sample() / 30).astype("float32")
  y = layer(keras.ops.cast(x, "bfloat16"), training=True)
  assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
  rounded = np.array(keras.ops.cast(keras.ops.cast(x, "bfloat16"), "float32"))
  np.testing.assert_allclose(
    layer.moving_mean, 0.1 * rounded.mean(axis=(0, 1, 2, 3)), rtol=1e-6
  )


@pytest.mark.parametrize(
  "field, value, message",
  [
    (
      "momentum",
      1.0,
      "batchnorm_momentum: expected 0 <= m < 1; got 1.0.",
    ),
    (
      "epsilon",
      0.0,
      "batchnorm_epsilon: expected a positive number, such as 0.001; got 0.0.",
    ),
  ],
)
def test_options_out_of_range_are_refused(field, value, message):
  with pytest.raises(ValueError) as error:
    NormOptions(**{field: value})
  assert str(error.value) == message
