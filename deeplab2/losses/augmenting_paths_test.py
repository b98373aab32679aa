"""Tests of the assignment in tensor operations, against SciPy's."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize

from deeplab2.losses import augmenting_paths


@functools.cache
def solver(jit_compile):
  # One trace for all sizes; XLA compiles each anew.
  cost = tf.TensorSpec((None, None, None))
  present = tf.TensorSpec((None, None), tf.bool)
  return tf.function(
    augmenting_paths.assign,
    input_signature=[cost, present],
    jit_compile=jit_compile,
  )


def check_optimal(cost, present, column):
  """Every rule of an assignment, and the total cost that SciPy reaches."""
  for image in range(len(cost)):
    rows = np.flatnonzero(column[image] >= 0)
    columns = column[image, rows]
    assert present[image, rows].all()
    assert len(set(columns)) == len(columns)
    assert len(rows) == min(present[image].sum(), cost.shape[2])
    wanted = cost[image, present[image]]
    best = wanted[optimize.linear_sum_assignment(wanted)].sum()
    scale = np.abs(cost).max()
    np.testing.assert_allclose(
      cost[image, rows, columns].sum(), best, rtol=1e-5, atol=1e-6 * scale
    )


SIZES = [(7, 11), (11, 5), (13, 13), (1, 3), (3, 1), (29, 7)]


@pytest.mark.parametrize("rows, columns", SIZES)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("levels", [0, 3])
def test_total_cost_is_the_least(rows, columns, share, levels):
  rng = np.random.default_rng((rows, columns, levels))
  cost = -rng.random((3, rows, columns), np.float32)
  if levels:  # many equal costs
    cost = np.round(cost * levels)
  present = rng.random((3, rows)) < share
  check_optimal(cost, present, solver(False)(cost, present).numpy())


@pytest.mark.parametrize("scale", [1e-7, 1e4])
def test_the_scale_of_the_costs_does_not_matter(scale):
  rng = np.random.default_rng(3)
  cost = scale * rng.standard_normal((2, 17, 11)).astype(np.float32)
  present = np.ones((2, 17), bool)
  check_optimal(cost, present, solver(False)(cost, present).numpy())


def test_compiled_by_xla():
  rng = np.random.default_rng(4)
  cost = -rng.random((2, 11, 5), np.float32)
  present = rng.random((2, 11)) < 0.7
  check_optimal(cost, present, solver(True)(cost, present).numpy())


def test_an_image_does_not_depend_on_its_batch():
  rng = np.random.default_rng(5)
  cost = -rng.random((3, 7, 5), np.float32)
  present = rng.random((3, 7)) < 0.6
  together = solver(False)(cost, present)
  for image in range(3):
    one = slice(image, image + 1)
    alone = solver(False)(cost[one], present[one])
    np.testing.assert_array_equal(together[one], alone)
