import numpy as np
import pytest
import tensorflow as tf

from deeplab2.training import gradients

RNG = np.random.default_rng(0)
GRADIENTS = [tf.constant(RNG.normal(size=s), tf.float32) for s in [(2, 3), 5]]
NORM = np.sqrt(sum(np.sum(np.square(g)) for g in GRADIENTS))


def test_squared_norms_add_up_to_the_joint_norm():
  parts = gradients.squared_norms(GRADIENTS)
  np.testing.assert_allclose(np.sqrt(np.sum(parts)), NORM, rtol=1e-6)


def test_clipping_keeps_the_direction_and_bounds_the_joint_norm():
  clipped = gradients.clipped(GRADIENTS, tf.constant(NORM), 0.5)
  for before, after in zip(GRADIENTS, clipped, strict=True):
    np.testing.assert_allclose(after, before * (0.5 / NORM), rtol=1e-6)


def test_short_gradients_are_left_to_the_bit():
  clipped = gradients.clipped(GRADIENTS, tf.constant(NORM), 2 * NORM)
  for before, after in zip(GRADIENTS, clipped, strict=True):
    np.testing.assert_array_equal(after, before)


def test_no_limit_clips_nothing():
  assert gradients.clipped(GRADIENTS, None, None) == GRADIENTS


def test_weight_decay_is_the_gradient_of_half_the_squared_kernels():
  variables = [tf.Variable(RNG.normal(size=g.shape)) for g in GRADIENTS]
  variables = [tf.Variable(tf.cast(v, tf.float32)) for v in variables]
  with tf.GradientTape() as tape:
    penalty = 0.3 / 2 * tf.reduce_sum(variables[0] ** 2)
  expected = GRADIENTS[0] + tape.gradient(penalty, variables[0])
  kernel, bias = gradients.with_weight_decay(
    GRADIENTS, variables, [True, False], 0.3
  )
  np.testing.assert_allclose(kernel, expected, rtol=1e-6)
  np.testing.assert_array_equal(bias, GRADIENTS[1])


def test_a_variable_that_no_loss_reaches_is_named():
  with pytest.raises(ValueError, match="1 of 2 do not: head/kernel"):
    gradients.check_all_reached(["a", "head/kernel"], [GRADIENTS[0], None])
  gradients.check_all_reached(["a", "b"], GRADIENTS)
