import numpy as np
import pytest

from deeplab2.datasets.shapes.textures import TEXTURES, smooth_noise

SIZE = (37, 53)


@pytest.mark.parametrize("name", sorted(TEXTURES))
def test_textures_fill_the_size_in_range(name):
  texture = TEXTURES[name](np.random.default_rng(3), SIZE)
  assert texture.shape == (*SIZE, 3)
  assert np.isfinite(texture).all()
  assert -60 < texture.min() < texture.max() < 400


@pytest.mark.parametrize("name", sorted(TEXTURES))
def test_a_texture_is_a_function_of_its_generator(name):
  draw = lambda seed: TEXTURES[name](np.random.default_rng(seed), SIZE)
  np.testing.assert_array_equal(draw(5), draw(5))
  assert np.abs(draw(5) - draw(6)).mean() > 1


def test_textures_can_be_told_apart_by_color():
  means = {
    name: np.mean(
      [draw(np.random.default_rng(s), SIZE).mean((0, 1)) for s in range(8)],
      axis=0,
    )
    for name, draw in TEXTURES.items()
  }
  for name, mean in means.items():
    others = [m for other, m in means.items() if other != name]
    assert min(np.abs(mean - m).max() for m in others) > 25


@pytest.mark.parametrize("cell", [5, (3, 11), 60])
def test_noise_is_smooth_within_a_cell(cell):
  noise = smooth_noise(np.random.default_rng(0), SIZE, cell)
  assert noise.shape == SIZE
  assert -0.5 < noise.min() < noise.max() < 1.5
  step = np.abs(np.diff(noise, axis=1)).max()
  width = cell if isinstance(cell, int) else cell[1]
  assert step < 3.0 / width
