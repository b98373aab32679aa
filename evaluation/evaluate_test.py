import functools
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from programs import run_program
from source_tree import ROOT

CATEGORIES = [
  {"id": 17, "name": "cat", "isthing": 1},
  {"id": 193, "name": "grass", "isthing": 0},
  {"id": 200, "name": "rug", "isthing": 0},
]
# Two images of grass, a cat, a crowd of cats and void; the second is perfect.
TRUTH = np.array([[1, 1, 1, 2, 2, 2], [3, 3, 0, 2, 2, 2]])
FIRST = np.array([[1, 1, 2, 2, 2, 2], [3, 3, 3, 2, 2, 2]])
SEGMENTS = [
  {"id": 1, "category_id": 17, "area": 3, "iscrowd": 0},
  {"id": 2, "category_id": 193, "area": 6, "iscrowd": 0},
  {"id": 3, "category_id": 17, "area": 2, "iscrowd": 1},
]


run = functools.partial(run_program, "evaluation/evaluate.py")


def write(path, maps, segments=SEGMENTS):
  folder = path.with_suffix("")
  folder.mkdir()
  annotations = []
  for image_id, ids in maps.items():
    rgb = np.stack([ids, ids * 0, ids * 0], -1).astype(np.uint8)
    Image.fromarray(rgb).save(folder / f"{image_id}.png")
    annotations.append(
      {
        "image_id": image_id,
        "file_name": f"{image_id}.png",
        "segments_info": segments,
      }
    )
  content = {"annotations": annotations, "categories": CATEGORIES}
  path.write_text(json.dumps(content))


@pytest.fixture
def files(tmp_path):
  write(tmp_path / "truth.json", {5: TRUTH, 6: TRUTH})
  write(tmp_path / "out.json", {6: TRUTH, 5: FIRST, 9: TRUTH})
  return tmp_path


def score(folder, *arguments):
  return run(
    f"--truth_json={folder}/truth.json",
    f"--predictions_json={folder}/out.json",
    *arguments,
  )


def test_scores_a_folder_of_predictions(files):
  done = score(files, f"--output_json={files}/scores.json")
  assert done.returncode == 0, done.stderr
  assert done.stdout == "\n".join(
    [
      "1 predictions are of images that the truth does not have; "
      "they are left out.",
      "          PQ    SQ    RQ  classes",
      "all     88.1  88.1 100.0  2 of 3",
      "things  83.3  83.3 100.0  1 of 1",
      "stuff   92.9  92.9 100.0  1 of 2",
      "",
      "class     PQ    SQ    RQ     TP     FP     FN",
      "cat     83.3  83.3 100.0      2      0      0",
      "grass   92.9  92.9 100.0      2      0      0",
      "",
      "Left out of the means: 1 of 3 classes, in neither truth nor prediction.",
      "",
      f"scores: {files}/scores.json",
      "",
    ]
  )
  scores = json.loads((files / "scores.json").read_text())
  assert scores["things"]["pq"] == (2 / 3 + 1) / 2
  assert scores["per_class"]["grass"]["pq"] == (6 / 7 + 1) / 2


def test_threads_do_not_change_the_scores(files):
  one, many = score(files, "--num_threads=1"), score(files, "--num_threads=5")
  assert one.returncode == 0
  assert one.stdout == many.stdout


def test_folders_may_be_named(files):
  (files / "truth").rename(files / "a")
  (files / "out").rename(files / "b")
  done = score(
    files,
    f"--truth_dir={files}/a",
    f"--predictions_dir={files}/b",
    "--noper_class",
  )
  assert done.returncode == 0, done.stderr
  assert "cat" not in done.stdout
  assert "things  83.3" in done.stdout


def test_help_comes_without_loading_anything_heavy():
  code = (
    "import runpy, sys; sys.argv = ['evaluate.py'];"
    f"runpy.run_path({str(ROOT / 'evaluation/evaluate.py')!r});"
    "assert not {'tensorflow', 'numpy'} & set(sys.modules)"
  )
  subprocess.run([sys.executable, "-c", code], check=True)


def refused(done, message):
  assert done.returncode != 0
  assert "Traceback" not in done.stderr
  assert message in done.stderr


def test_flags_that_do_not_say_what_to_score_are_refused():
  wanted = (
    "error: expected either --checkpoint and --config_file, or "
    "--predictions_json and --truth_json; got "
  )
  refused(run(), f"{wanted}[].")
  refused(run("--truth_json=a"), f"{wanted}['truth_json'].")
  both = run(
    "--truth_json=a",
    "--predictions_json=b",
    "--checkpoint=c",
    "--config_file=d",
  )
  names = ["checkpoint", "config_file", "predictions_json", "truth_json"]
  refused(both, f"{wanted}{names}.")


def test_a_config_that_does_not_exist_is_refused():
  done = run("--checkpoint=a", "--config_file=no_such_config")
  refused(done, "error: ")
  assert "no_such_config" in done.stderr


def test_arguments_that_are_no_flags_are_refused(files):
  refused(score(files, "results"), "expected flags only; got ['results'].")


def test_files_that_are_missing_are_named(files):
  refused(
    score(files, "--truth_json=nowhere.json"),
    "error: nowhere.json: expected a panoptic JSON; there is no such file.",
  )
  refused(
    score(files, f"--predictions_dir={files}/truth"),
    f"error: {files}/out.json: 1 of 3 PNGs are missing in {files}/truth, such "
    "as 9.png of image id 9.",
  )
  refused(
    score(files, "--output_json=no/such/folder.json"),
    "error: output_json: expected a path in an existing folder; got "
    "no/such/folder.json.",
  )


def test_images_without_prediction_are_named(files):
  write(files / "few.json", {5: FIRST})
  refused(
    score(files, f"--predictions_json={files}/few.json"),
    "error: predictions: expected one for each of the 2 images of the truth; "
    "1 are missing, such as image ids [6].",
  )


def test_a_prediction_of_another_size_is_named(files):
  write(files / "bad.json", {5: FIRST, 6: TRUTH.T})
  refused(
    score(files, f"--predictions_json={files}/bad.json"),
    f"error: {files}/bad/6.png, image id 6:\n  size: expected the truth's "
    "height and width (2, 6); got (6, 2).",
  )


def test_a_prediction_of_an_unlisted_segment_is_named(files):
  write(files / "bad.json", {5: FIRST, 6: TRUTH}, SEGMENTS[:2])
  refused(
    score(files, f"--predictions_json={files}/bad.json"),
    "segment 3: the map has 3 pixels of it; the JSON does not list it.",
  )


def test_bad_images_may_be_left_out_and_are_counted(files):
  write(files / "bad.json", {5: FIRST, 6: TRUTH, 9: TRUTH})
  (files / "bad" / "6.png").write_bytes(b"no picture")
  scores = files / "scores.json"
  run = score(
    files,
    f"--predictions_json={files}/bad.json",
    "--on_error=skip",
    f"--output_json={scores}",
  )
  assert run.returncode == 0, run.stderr
  assert (
    f"Skipped image id 6: panoptic map: {files}/bad/6.png: does not decode"
    in run.stderr
  )
  assert "1 images are missing in these scores" in run.stdout
  assert json.loads(scores.read_text())["missing_images"] == 1
