import numpy as np
import pytest

from deeplab2.datasets.shapes.outlines import OUTLINES, coverage

SIZE = (83, 97)

# Area of each outline of radius one, from its geometry.
AREAS = {
  "disc": np.pi,
  "square": 1.6**2,
  "triangle": 0.75 * np.sqrt(3.0),
  "star": 10 * 0.5 * 0.42 * np.sin(np.pi / 5),
  "ring": np.pi * (1 - 0.55**2),
  "cross": 4 * 0.95 * 0.6 - 0.6**2,
}


def _whole(name, center=(41.317, 47.913), radius=29.0, angle=0.7, squash=1.0):
  box, share = coverage(name, SIZE, center, radius, angle, squash)
  whole = np.zeros(SIZE, np.float32)
  whole[box] = share
  return whole


@pytest.mark.parametrize("name", sorted(OUTLINES))
@pytest.mark.parametrize("angle", [0.0, 1.1, 4.0])
@pytest.mark.parametrize("squash", [1.0, 0.8])
def test_area_is_that_of_the_geometry(name, angle, squash):
  area = _whole(name, angle=angle, squash=squash).sum()
  np.testing.assert_allclose(area, AREAS[name] * 29.0**2 * squash, rtol=0.01)


@pytest.mark.parametrize("name", sorted(OUTLINES))
def test_the_box_leaves_nothing_out(name):
  """A thing is the same whether or not the image cuts it."""
  inside = _whole(name)
  box, share = coverage(name, (200, 200), (141.317, 147.913), 29.0, 0.7)
  wide = np.zeros((200, 200), np.float32)
  wide[box] = share
  np.testing.assert_allclose(wide[100:183, 100:197], inside, atol=1e-6)


@pytest.mark.parametrize("name", sorted(OUTLINES))
def test_a_thing_outside_of_the_image_covers_nothing(name):
  assert _whole(name, center=(-50.0, 20.0)).sum() == 0
  assert _whole(name, center=(20.0, 300.0)).sum() == 0


def test_a_quarter_turn_of_a_square_changes_nothing():
  np.testing.assert_allclose(
    _whole("square", angle=0.3), _whole("square", angle=0.3 + np.pi / 2)
  )


def test_only_the_ring_has_a_hole():
  middle = {name: _whole(name)[41, 47] for name in OUTLINES}
  assert middle == {name: float(name != "ring") for name in OUTLINES}
