import numpy as np
import pytest
from PIL import Image

from deeplab2.datasets.panoptic_png import read_segment_ids


def test_red_is_the_lowest_byte(tmp_path):
  rgb = np.zeros((2, 3, 3), np.uint8)
  rgb[0] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
  rgb[1, 2] = [255, 255, 255]
  Image.fromarray(rgb).save(tmp_path / "map.png")
  ids = read_segment_ids(str(tmp_path / "map.png"))
  np.testing.assert_array_equal(ids, [[1, 256, 65536], [0, 0, 2**24 - 1]])
  assert ids.dtype == np.int32


def test_other_pictures_are_named(tmp_path):
  path = str(tmp_path / "map.png")
  Image.new("L", (3, 2)).save(path)
  with pytest.raises(ValueError) as caught:
    read_segment_ids(path)
  assert str(caught.value) == (
    f"panoptic map: {path}: expected an RGB PNG, id = R + 256 G + 65536 B; got "
    "mode L."
  )


def test_missing_and_broken_files_are_named(tmp_path):
  path = str(tmp_path / "map.png")
  with pytest.raises(ValueError) as caught:
    read_segment_ids(path)
  assert str(caught.value) == (
    f"panoptic map: expected a file; there is no {path}."
  )
  Image.new("RGB", (300, 200), (1, 2, 3)).save(path)
  with open(path, "r+b") as file:
    file.truncate(100)
  with pytest.raises(ValueError, match="does not decode"):
    read_segment_ids(path)
