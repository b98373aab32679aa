import numpy as np
import pytest

from deeplab2.datasets.shapes.backdrop import Backdrop, draw_backdrop
from deeplab2.datasets.shapes.textures import TEXTURES

SIZE = (67, 79)


@pytest.mark.parametrize("seed", range(12))
def test_every_pixel_has_a_stuff_and_two_to_four_are_there(seed):
  stuff = draw_backdrop(np.random.default_rng(seed), SIZE).stuff
  names = set(np.unique(stuff))
  assert names <= set(TEXTURES)
  assert 2 <= len(names) <= 4


def test_sky_and_wall_lie_above_the_ground():
  rows = np.arange(SIZE[0])[:, None]
  for seed in range(12):
    stuff = draw_backdrop(np.random.default_rng(seed), SIZE).stuff
    above = (stuff == "sky") | (stuff == "brick")
    mean_row = [(rows * part).sum() / part.sum() for part in (above, ~above)]
    assert mean_row[0] < mean_row[1]


def test_a_region_covers_what_lies_under_it():
  backdrop = Backdrop(np.random.default_rng(0), SIZE)
  backdrop.lay("sky", np.full(SIZE, np.inf))
  depth = np.full(SIZE, -1.0)
  depth[20:, :] = 1.0
  before = backdrop.image.copy()
  backdrop.lay("sand", depth)
  assert (backdrop.stuff[20:] == "sand").all()
  assert (backdrop.stuff[:20] == "sky").all()
  np.testing.assert_array_equal(backdrop.image[:20], before[:20])
  assert np.abs(backdrop.image[20:] - before[20:]).mean() > 20
