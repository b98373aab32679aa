import keras
import numpy as np
import pytest

from deeplab2.stateless_random import dropout, split_seed, uniform

SEED = np.array([7, 11], "int32")


def test_draws_are_a_function_of_the_seed():
  first = np.array(uniform((3, 5), SEED))
  np.testing.assert_array_equal(first, uniform((3, 5), SEED))
  assert np.abs(first - np.array(uniform((3, 5), SEED + 1))).max() > 0.01
  assert first.min() >= 0 and first.max() < 1


def test_seeds_of_consecutive_steps_do_not_share_parts():
  """As they would if parts were numbered by addition to the seed."""
  parts = {
    tuple(np.array(part))
    for step in range(10)
    for part in split_seed(np.array([0, step], "int32"), 3)
  }
  assert len(parts) == 30


def test_dropout_zeroes_its_share_and_keeps_the_mean():
  y = np.array(dropout(np.ones((100, 101), "float32"), 0.1, SEED))
  np.testing.assert_allclose(np.unique(y), [0, 1 / 0.9], rtol=1e-6)
  np.testing.assert_allclose(np.mean(y == 0), 0.1, atol=0.01)


@pytest.mark.skipif(
  keras.backend.backend() != "tensorflow", reason="parts need TensorFlow"
)
@pytest.mark.parametrize("compiled", [False, True])
def test_a_part_of_a_batch_draws_what_the_whole_draws_there(compiled):
  import tensorflow as tf

  draw = tf.function(
    lambda seed, count: uniform((count, 3, 5), seed), jit_compile=compiled
  )
  whole = np.array(draw(tf.constant(SEED), 7))
  for first, count in ((0, 7), (0, 2), (2, 3), (5, 2)):
    seed = tf.constant([*SEED, first], tf.int32)
    part = np.array(draw(seed, count))
    np.testing.assert_array_equal(part, whole[first : first + count])


def test_parts_of_a_seed_are_of_the_same_part_of_the_batch():
  pairs = split_seed(SEED, 2)
  for pair, triple in zip(pairs, split_seed([*SEED, 5], 2), strict=True):
    assert np.array(triple).tolist() == [*np.array(pair), 5]
