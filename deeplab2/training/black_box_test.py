import os

import numpy as np
import pytest

from deeplab2.config import parse_experiment
from deeplab2.training import black_box, checkpoint_files, nonfinite
from deeplab2.training import fake_architecture as fake


def failure(step):
  return nonfinite.Failure(
    step=step,
    terms={"mask_loss": float("nan")},
    squared_norms={},
    learning_rates={"all": 0.5},
  )


@pytest.fixture
def box(tmp_path):
  experiment = fake.experiment()
  return black_box.BlackBox(
    str(tmp_path),
    experiment,
    fake.build(experiment),
    batch_at=lambda step: fake.batch(step, 4),
  )


def test_a_step_leaves_all_that_a_replay_needs(box, tmp_path):
  report = box.record(failure(12))
  folder = tmp_path / "nonfinite-step-12"
  assert "images: 48, 49, 50, 51" in report
  assert "everything is finite here" in report
  assert report.splitlines()[-1] == (
    "  saved; to look at it layer by layer: "
    f"python trainer/replay_step.py --step_dir={folder}"
  )
  batch = nonfinite.load_batch(str(folder / "batch.npz"))
  np.testing.assert_array_equal(batch.image, fake.batch(12, 4).image)
  assert "model/encoder/kernel" in checkpoint_files.shapes(
    str(folder / "ckpt-12")
  )
  told = parse_experiment(folder / "experiment.textproto")
  assert told == fake.experiment()
  assert (folder / "dataset.json").read_text() == fake.DATASET.to_json()
  assert (folder / "report.txt").read_text() == report + "\n"


def test_a_run_that_skips_many_steps_saves_a_few(box, tmp_path):
  for step in range(black_box.MAX_FOLDERS + 1):
    report = box.record(failure(step), always=False)
  assert report.endswith("not saved, 3 others are")
  assert len(os.listdir(tmp_path)) == black_box.MAX_FOLDERS
  box.record(failure(99))
  assert (tmp_path / "nonfinite-step-99" / "report.txt").exists()


def test_the_report_does_not_need_room_on_the_disk(box, tmp_path):
  (tmp_path / "nonfinite-step-3" / "batch.npz").mkdir(parents=True)
  report = box.record(failure(3))
  assert "images: 12, 13, 14, 15" in report
  assert "not saved: " in report
  assert "could not be written" in report
