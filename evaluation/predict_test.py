import functools
import json
import os
import time

import numpy as np
import pytest
from PIL import Image
from programs import run_program

from deeplab2.datasets import load_dataset

PERSON = 256 + 1


_run = functools.partial(run_program, "evaluation/predict.py")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
  """A SavedModel to which everything is one person."""
  import tensorflow as tf

  class Person(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
    def __call__(self, input_tensor):
      shape = tf.concat([[1], tf.shape(input_tensor)[:2]], axis=0)
      score = tf.fill(shape, 0.5)
      return {
        "panoptic_pred": tf.fill(shape, PERSON),
        "instance_scores": score,
        "semantic_scores": score,
      }

  module, path = Person(), tmp_path_factory.mktemp("model")
  signature = module.__call__.get_concrete_function()
  tf.saved_model.save(module, str(path), signatures=signature)
  (path / "assets.extra").mkdir()
  text = load_dataset("coco_panoptic").to_json()
  (path / "assets.extra" / "dataset.json").write_text(text)
  return path


@pytest.fixture
def photos(tmp_path):
  folder = tmp_path / "photos"
  folder.mkdir()
  for name, size in (("a.png", (11, 7)), ("b.png", (5, 13))):
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(folder / name)
  (folder / "broken.jpg").write_text("not a picture")
  return folder


def test_a_folder_gives_results_and_a_list_of_what_was_bad(
  model, photos, tmp_path
):
  out = tmp_path / "out"
  done = _run(f"--model={model}", f"--input={photos}", f"--output_dir={out}")
  assert done.returncode == 0, done.stderr
  assert sorted(os.listdir(out)) == [
    "a_panoptic.png",
    "a_picture.png",
    "a_segments.json",
    "b_panoptic.png",
    "b_picture.png",
    "b_segments.json",
    "predictions.json",
  ]
  assert f"Skipped {photos}/broken.jpg: image: expected" in done.stderr
  assert done.stdout.startswith(f"2 results in {out}, ")
  assert done.stdout.endswith("; 1 files were skipped.\n")
  (segment,) = json.loads((out / "b_segments.json").read_text())[
    "segments_info"
  ]
  assert (segment["name"], segment["area"]) == ("person", 65)


def test_wrong_input_is_told_before_tensorflow_is_imported(tmp_path):
  started = time.perf_counter()
  done = _run("--model=m", f"--input={tmp_path}/*.jpg", "--output_dir=out")
  assert done.returncode == 1
  assert done.stderr == (
    "input: expected an image, a folder or a pattern that matches; got "
    f"'{tmp_path}/*.jpg'.\n"
  )
  assert time.perf_counter() - started < 5


def test_help_shows_the_flags():
  done = _run("--help")
  assert "--output_dir" in done.stdout
  assert "tensorflow" not in done.stderr
