import numpy as np
import pytest

from deeplab2.datasets.label_runs import find_runs


def _blobs(seed, shape=(11, 17)):
  """A map of few labels in long runs; the last rows are noise."""
  rng = np.random.default_rng(seed)
  label_map = np.repeat(np.sort(rng.integers(0, 2**24, 5)), 40)
  label_map = label_map[: shape[0] * shape[1]].reshape(shape).astype(np.int32)
  label_map[-2:] = rng.choice(label_map[:, 0], (2, shape[1]))
  return label_map


@pytest.mark.parametrize("seed", range(3))
def test_runs_spell_the_map(seed):
  label_map = _blobs(seed)
  runs = find_runs(label_map)
  np.testing.assert_array_equal(runs.filled(runs.labels), label_map)
  assert len(runs.lengths) < label_map.size


@pytest.mark.parametrize("seed", range(3))
def test_labels_and_areas_are_those_of_the_pixels(seed):
  label_map = _blobs(seed)
  labels, areas = np.unique(label_map, return_counts=True)
  runs = find_runs(label_map)
  np.testing.assert_array_equal(runs.labels, labels)
  np.testing.assert_array_equal(runs.areas(), areas)


def test_neighbouring_runs_differ():
  runs = find_runs(np.array([[4, 4, 7], [7, 7, 4]]))
  np.testing.assert_array_equal(runs.lengths, [2, 3, 1])
  np.testing.assert_array_equal(runs.labels[runs.places], [4, 7, 4])


def test_other_values_keep_their_type():
  runs = find_runs(np.array([[300, 300, 7]]))
  filled = runs.filled(np.array([1, 9], np.uint8))
  np.testing.assert_array_equal(filled, [[9, 9, 1]])
  assert filled.dtype == np.uint8


def test_an_empty_map_has_no_run():
  runs = find_runs(np.zeros((0, 5), np.int32))
  assert runs.filled(runs.labels).shape == (0, 5)
  assert len(runs.areas()) == 0
