import json

import numpy as np
import pytest
from PIL import Image

from deeplab2.inference.image_files import find_image_files
from deeplab2.inference.predict_files import predict_files
from deeplab2.inference.predictor import Predictor
from deeplab2.inference.preprocessing import InputFit
from deeplab2.inference.whole_image import WholeImage


@pytest.fixture(scope="module")
def predictor(architecture, dataset):
  fit = InputFit(crop_size=(65, 97))
  return Predictor(WholeImage(architecture, fit), dataset)


@pytest.fixture
def images(tmp_path, picture):
  for name in ("1", "3"):
    Image.fromarray(picture).save(tmp_path / f"{name}.png")
  (tmp_path / "2.jpg").write_text("not a picture")
  return find_image_files([str(tmp_path)])


def _ids(folder):
  content = json.loads((folder / "predictions.json").read_text())
  return [entry["image_id"] for entry in content["annotations"]]


def test_bad_files_are_listed_and_the_others_predicted(
  predictor, images, tmp_path
):
  out = tmp_path / "out"
  report = predict_files(predictor, images, out, skip_bad=True)
  assert _ids(out) == [1, 3]
  assert len(report.done) == len(report.seconds) == 2
  assert all(files.exist() for files in report.done)
  ((path, problem),) = report.failed.items()
  assert path == tmp_path / "2.jpg"
  assert "a file that is no picture" in problem


def test_bad_files_stop_on_demand(predictor, images, tmp_path):
  with pytest.raises(ValueError, match=r"2\.jpg\.$"):
    predict_files(predictor, images, tmp_path / "out")


def test_results_that_are_there_are_left_on_demand(predictor, images, tmp_path):
  out = tmp_path / "out"
  images = {name: path for name, path in images.items() if name != "2"}
  (first, second) = predict_files(predictor, images, out).done
  second.segments.unlink()
  before = first.panoptic.stat().st_mtime_ns
  report = predict_files(predictor, images, out, skip_existing=True)
  assert (report.present, len(report.seconds)) == (1, 1)
  assert report.done == [first, second]
  assert first.panoptic.stat().st_mtime_ns == before
  assert _ids(out) == [1, 3]


def test_progress_sees_every_image(predictor, images, tmp_path):
  seen = []

  def progress(items):
    for item in items:
      seen.append(item[0])
      yield item

  predict_files(
    predictor, images, tmp_path / "out", skip_bad=True, progress=progress
  )
  assert seen == ["1", "2", "3"]


def test_without_a_result_there_is_no_list(predictor, images, tmp_path):
  bad = {"2": images["2"]}
  report = predict_files(predictor, bad, tmp_path / "out", skip_bad=True)
  assert not report.done
  assert not (tmp_path / "out").exists()


def test_a_model_is_no_bad_image(dataset, images, tmp_path):
  """A model without the outputs stops at once, instead of at every image."""
  predictor = Predictor(lambda image: {"logits": np.zeros(1)}, dataset)
  with pytest.raises(TypeError, match=r"^model: expected the outputs"):
    predict_files(predictor, images, tmp_path / "out", skip_bad=True)
