"""Tests of the matching that repeats the original's rounding."""

import numpy as np
import pytest
from scipy import optimize

from deeplab2.losses import original_matching

GRID = 2.0**-14  # distance of neighbouring float32 numbers just below 999


def random_problem(masks, slots, count, scale):
  rng = np.random.default_rng((masks, slots, count))
  similarity = scale * rng.random((2, masks, slots), np.float32)
  present = np.zeros((2, masks), bool)
  present[:, rng.choice(masks, count, replace=False)] = True
  return similarity.astype(np.float32), present


def totals(similarity, slot):
  for image, row in zip(similarity, slot, strict=True):
    rows = np.flatnonzero(row >= 0)
    yield image[rows, row[rows]].sum()


def best_totals(similarity, present):
  for image, rows in zip(similarity, present, strict=True):
    wanted = image[rows]
    yield wanted[optimize.linear_sum_assignment(wanted, maximize=True)].sum()


@pytest.mark.parametrize("masks, slots", [(23, 17), (11, 17), (17, 17)])
def test_optimal_but_for_the_rounding(masks, slots):
  similarity, present = random_problem(masks, slots, 7, 1.0)
  slot = original_matching.slots_of_masks(similarity, present)
  np.testing.assert_allclose(
    list(totals(similarity, slot)),
    list(best_totals(similarity, present)),
    atol=7 * GRID,
  )


def test_small_similarities_are_all_the_same_to_it():
  similarity, present = random_problem(23, 17, 7, GRID / 4)
  slot = original_matching.slots_of_masks(similarity, present)
  flat = original_matching.slots_of_masks(0 * similarity, present)
  np.testing.assert_array_equal(slot, flat)
  assert (
    np.array(list(totals(similarity, slot)))
    < 0.9 * np.array(list(best_totals(similarity, present)))
  ).all()


def test_numbers_on_the_grid_are_matched_exactly():
  similarity, present = random_problem(23, 17, 11, 1.0)
  similarity = (np.round(similarity * 50) * GRID).astype(np.float32)
  slot = original_matching.slots_of_masks(similarity, present)
  np.testing.assert_allclose(
    list(totals(similarity, slot)), list(best_totals(similarity, present))
  )


def test_every_present_mask_gets_a_slot_of_its_own():
  similarity, present = random_problem(23, 17, 13, 1e-3)
  slot = original_matching.slots_of_masks(similarity, present)
  np.testing.assert_array_equal(slot >= 0, present)
  for row in slot:
    assert len(set(row[row >= 0])) == 13
