import json
import os

import numpy as np
import pytest
from PIL import Image

from deeplab2.datasets.coco_results import load_segments, read_results
from deeplab2.inference.result import PanopticResult, find_segments
from deeplab2.inference.result_files import ResultFiles, write_result_list


@pytest.fixture
def result(dataset):
  panoptic = np.full((31, 47), 512, np.int32)
  panoptic[:5] = 0
  panoptic[8:20, 3:17] = 257
  panoptic[10:29, 20:41] = 258
  image = np.random.default_rng(0).integers(0, 256, (31, 47, 3), np.uint8)
  score = np.full(panoptic.shape, 0.5)
  segments = find_segments(panoptic, score, dataset)
  return PanopticResult(image, panoptic, segments, dataset)


def test_three_files_appear_and_nothing_else(result, tmp_path):
  files = result.save(tmp_path / "new" / "street.jpg")
  assert sorted(os.listdir(tmp_path / "new")) == [
    "street_panoptic.png",
    "street_picture.png",
    "street_segments.json",
  ]
  assert files == ResultFiles.of(tmp_path / "new" / "street")
  assert files.exist()
  files.picture.unlink()
  assert not files.exist()


def test_a_reader_of_coco_results_gets_the_map_back(result, dataset, tmp_path):
  files = result.save(tmp_path / "street")
  write_result_list([files], tmp_path / "predictions.json")
  (annotated,) = read_results(f"{tmp_path}/predictions.json", str(tmp_path))
  table = load_segments(annotated, dataset, size=(31, 47))
  classes = np.zeros(table.ids.max() + 1, int)
  classes[table.ids] = table.classes
  np.testing.assert_array_equal(
    classes[table.map], dataset.codec.decode(result.panoptic)[0]
  )
  pairs = set(zip(result.panoptic.ravel(), table.map.ravel(), strict=True))
  assert len(pairs) == len(np.unique(result.panoptic))


def test_segments_are_described(result, tmp_path):
  files = result.save(tmp_path / "000000000139")
  entry = json.loads(files.segments.read_text())
  segments = entry.pop("segments_info")
  assert entry == {
    "image_id": 139,
    "file_name": "000000000139_panoptic.png",
    "height": 31,
    "width": 47,
  }
  assert segments[0] == {
    "id": 1,
    "category_id": 17,
    "area": 14 * 12,
    "bbox": [3, 8, 14, 12],
    "iscrowd": 0,
    "isthing": 1,
    "name": "cow",
    "score": 0.5,
  }
  assert [s["name"] for s in segments] == ["cow", "cow", "grass"]


def test_picture_is_the_plot(result, tmp_path):
  files = result.save(tmp_path / "street")
  np.testing.assert_array_equal(Image.open(files.picture), result.plot())
  assert result.plot(opacity=0, names=False)[0, 0].tolist() == (
    result.image[0, 0].tolist()
  )


def test_a_notebook_shows_a_png(result):
  assert result._repr_png_().startswith(b"\x89PNG")


def test_a_failing_write_leaves_what_was_there(result, tmp_path, monkeypatch):
  files = result.save(tmp_path / "street")
  before = files.panoptic.read_bytes()

  def fail(self, file, format):
    file.write(b"half")
    raise OSError("disk full")

  monkeypatch.setattr(Image.Image, "save", fail)
  with pytest.raises(OSError, match="disk full"):
    result.save(tmp_path / "street")
  assert files.panoptic.read_bytes() == before
  assert len(os.listdir(tmp_path)) == 3


def test_a_folder_is_no_name(tmp_path):
  with pytest.raises(ValueError) as error:
    ResultFiles.of(tmp_path)
  assert str(error.value) == (
    "path: expected a folder and a name, such as out/street, from which "
    f"out/street_panoptic.png is made; got the folder {tmp_path}."
  )
