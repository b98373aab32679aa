"""Tests of the matching of masks to slots."""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.losses import matching

EXACT = ["host", "compiled"]


def total(similarity, slot):
  """Similarity of the matched pairs of one image."""
  rows = np.flatnonzero(slot >= 0)
  return similarity[rows, slot[rows]].sum()


def random_problem(masks, slots, share, seed=0):
  rng = np.random.default_rng((seed, masks, slots))
  similarity = rng.random((2, masks, slots), np.float32) ** 4
  return similarity, rng.random((2, masks)) < share


@pytest.mark.parametrize("masks, slots", [(5, 11), (11, 5), (7, 7)])
def test_exact_solvers_reach_the_same_total(masks, slots):
  similarity, present = random_problem(masks, slots, 0.8)
  host, compiled = (
    matching.match(tf.constant(similarity), tf.constant(present), name).numpy()
    for name in EXACT
  )
  for image in range(2):
    np.testing.assert_allclose(
      total(similarity[image], host[image]),
      total(similarity[image], compiled[image]),
      rtol=1e-6,
    )


@pytest.mark.parametrize("solver", sorted(matching.SOLVERS))
def test_a_clear_case_is_matched_by_all(solver):
  similarity = np.full((1, 3, 4), 0.1, np.float32)
  similarity[0, [0, 2], [3, 1]] = 0.9
  present = np.array([[True, False, True]])
  slot = matching.match(tf.constant(similarity), tf.constant(present), solver)
  np.testing.assert_array_equal(slot, [[3, -1, 1]])


@pytest.mark.parametrize("solver", sorted(matching.SOLVERS))
def test_masks_beyond_the_slots_are_left_over(solver):
  similarity, present = random_problem(11, 5, 1.0)
  slot = matching.match(similarity, tf.constant(present), solver).numpy()
  for row in slot:
    assert sorted(row[row >= 0]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("solver", sorted(matching.SOLVERS))
def test_no_mask_at_all(solver):
  similarity, present = random_problem(5, 7, 0.0)
  slot = matching.match(similarity, tf.constant(present), solver)
  np.testing.assert_array_equal(slot, np.full((2, 5), -1))


@pytest.mark.parametrize("solver", sorted(matching.SOLVERS))
def test_what_is_not_finite_is_matched_last(solver):
  similarity = np.full((1, 2, 3), np.nan, np.float32)
  similarity[0, 0] = [np.inf, 0.5, -np.inf]
  present = tf.constant([[True, True]])
  slot = matching.match(tf.constant(similarity), present, solver).numpy()
  assert slot[0, 0] == 1 and slot[0, 1] in (0, 2)


@pytest.mark.parametrize("solver", EXACT)
def test_no_gradient_and_a_static_shape(solver):
  @tf.function
  def run(similarity, present):
    with tf.GradientTape() as tape:
      tape.watch(similarity)
      slot = matching.match(similarity, present, solver)
      total = tf.reduce_sum(similarity * tf.one_hot(slot, 7))
    assert slot.shape == (2, 5)
    return slot, tape.gradient(total, similarity)

  similarity, present = random_problem(5, 7, 1.0)
  slot, gradient = run(tf.constant(similarity), tf.constant(present))
  np.testing.assert_array_equal(gradient, tf.one_hot(slot, 7))


def test_unknown_solver_is_refused():
  with pytest.raises(ValueError) as error:
    matching.check_solver("auction")
  assert str(error.value) == (
    "solver: expected one of ['compiled', 'host', 'original']; got 'auction'."
  )
