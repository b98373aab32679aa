import functools
import json

import pytest
from PIL import Image
from programs import run_program

from deeplab2.training.board import Board

SCORES = {
  "all": {"pq": 0.5, "sq": 0.75, "rq": 0.625},
  "things": {"pq": None, "sq": None, "rq": None},
  "stuff": {"pq": 1.0, "sq": 1.0, "rq": 1.0},
}


run = functools.partial(run_program, "evaluation/report.py")


@pytest.fixture
def model_dir(tmp_path):
  metrics = {
    "training_seconds": 61.25,
    "evaluation_seconds": 2.5,
    "eval": {"panoptic_quality": SCORES},
  }
  (tmp_path / "metrics.json").write_text(json.dumps(metrics))
  Board(str(tmp_path / "train")).scalars(5, {"losses/total_loss": 3.0})
  Board(str(tmp_path / "eval")).scalars(5, {"pq/all": 0.5})
  return tmp_path


def test_the_table_has_scores_and_seconds_and_the_curves_are_painted(model_dir):
  done = run(f"--model_dir={model_dir}")
  assert done.returncode == 0, done.stderr
  table = done.stdout.split("curves")[0]
  assert table == (
    "             PQ     SQ     RQ\n"
    "all        50.0   75.0   62.5\n"
    "things        -      -      -\n"
    "stuff     100.0  100.0  100.0\n"
    "\n"
    "training        61.2 s\n"
    "evaluation       2.5 s\n"
    "\n"
  )
  with Image.open(model_dir / "curves.png") as picture:
    assert picture.width > picture.height


@pytest.mark.parametrize(
  ("content", "message"),
  [
    (None, "expected the directory of a finished run, with metrics.json; got"),
    ({"step": 3}, "expected a run that was evaluated;"),
  ],
)
def test_a_run_without_scores_is_refused(tmp_path, content, message):
  if content is not None:
    (tmp_path / "metrics.json").write_text(json.dumps(content))
  done = run(f"--model_dir={tmp_path}")
  assert done.returncode == 1
  assert f"error: model_dir: {message}" in done.stderr
  assert "Traceback" not in done.stderr
