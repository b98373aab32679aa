"""Tests of the averages."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.losses import averages


def test_zeros_are_not_in_the_denominator():
  loss = tf.constant([[0.0, 2.0, 0.0, 4.0], [1.0, 1.0, 1.0, 5.0]])
  np.testing.assert_allclose(averages.mean_over_nonzero(loss), [3.0, 2.0])


def test_nothing_but_zeros_is_zero_with_a_finite_gradient():
  loss = tf.zeros((2, 3))
  with tf.GradientTape() as tape:
    tape.watch(loss)
    mean = averages.mean_over_nonzero(loss)
  np.testing.assert_array_equal(mean, 0.0)
  assert np.isfinite(tape.gradient(mean, loss)).all()


def test_a_loss_that_is_not_finite_stays_so():
  loss = tf.constant([[1.0, np.nan], [np.inf, 1.0]])
  assert not np.isfinite(averages.mean_over_nonzero(loss)).any()


@pytest.mark.parametrize(
  "fraction, expected", [(1.0, 2.5), (0.5, 3.5), (0.25, 4.0), (0.01, 4.0)]
)
def test_the_hardest_are_averaged(fraction, expected):
  loss = tf.constant([[1.0, 4.0, 2.0, 3.0]])
  mean = averages.mean_of_hardest(loss, fraction)
  np.testing.assert_allclose(mean, [expected])


def test_zeros_among_the_hardest_do_not_count():
  loss = tf.constant([[0.0, 0.0, 6.0, 0.0]])
  np.testing.assert_allclose(averages.mean_of_hardest(loss, 0.75), [6.0])


def test_a_size_known_at_run_time_only_gives_the_same():
  loss = np.random.default_rng(0).random((2, 13), np.float32)
  dynamic = tf.function(
    lambda x: averages.mean_of_hardest(x, 0.3),
    input_signature=[tf.TensorSpec((None, None))],
  )
  np.testing.assert_allclose(dynamic(loss), averages.mean_of_hardest(loss, 0.3))
