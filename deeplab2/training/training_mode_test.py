import os
import shutil
import signal
import time

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.training import checkpoint_files, checkpoints
from deeplab2.training import fake_architecture as fake
from deeplab2.training.fake_run import STEPS, all_of, experiment, run
from deeplab2.training.nonfinite import NonFiniteError
from deeplab2.training.run import run_experiment
from deeplab2.training.training_loop import RunInterruptedError


def test_an_interrupted_run_ends_as_an_uninterrupted_one(whole_run, tmp_path):
  def interrupt(line):
    if line.startswith("The first step took"):
      os.kill(os.getpid(), signal.SIGTERM)
      time.sleep(1)  # for the thread that halts the run

  with pytest.raises(RunInterruptedError) as stopped:
    run(tmp_path, log=interrupt)
  *_, step = checkpoints.checkpoint_steps(tmp_path)
  assert 1 <= step < STEPS
  assert str(stopped.value) == (
    f"Interrupted at step {step} of {STEPS}. The same command goes on from"
    f" {tmp_path}/ckpt-{step}."
  )
  lines = []
  run(tmp_path, log=lines.append)
  assert lines[0] == f"Going on from {tmp_path}/ckpt-{step}."
  expected = all_of(str(whole_run[0] / f"ckpt-{STEPS}"))
  found = all_of(str(tmp_path / f"ckpt-{STEPS}"))
  assert expected.keys() == found.keys()
  for name in expected.keys() - {"progress/seconds"}:
    np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


class BadData(fake.Data):
  """The image of step 3 is not a number."""

  def train(self, start_step=0, *shards):
    return (
      super().train(start_step, *shards).enumerate(start_step).map(self._spoil)
    )

  def _spoil(self, step, batch):
    image = batch.image + tf.where(step == 3, np.nan, 0.0)
    return batch._replace(image=image)


def test_a_loss_that_is_not_finite_stops_with_a_report(tmp_path):
  with pytest.raises(NonFiniteError) as error:
    run(tmp_path, data=BadData)
  folder = tmp_path / "nonfinite-step-3"
  report = str(error.value)
  assert report.startswith("step 3: ")
  assert "mask_loss" in report.splitlines()[0]
  assert "images: 12, 13, 14, 15" in report
  assert "first output not finite: the image" in report
  assert f"python trainer/replay_step.py --step_dir={folder}" in report
  assert (folder / "report.txt").read_text().strip() in report
  saved = all_of(str(tmp_path / "ckpt-3"))
  for name, value in saved.items():
    assert np.all(np.isfinite(value)), name
    if name.startswith("model/"):
      np.testing.assert_array_equal(value, all_of(str(folder / "ckpt-3"))[name])


def test_a_bad_step_can_be_left_out_and_the_run_resumed(tmp_path):
  skipping = experiment()
  skipping.trainer_options.nonfinite_policy = "skip"

  def go(directory, log=lambda line: None):
    return run_experiment(
      skipping, "train", directory, build=fake.build, data=BadData, log=log
    )

  whole_run, parts = str(tmp_path / "whole"), str(tmp_path / "parts")
  lines = []
  assert go(whole_run, lines.append)["skipped_steps"] == 1
  assert any(line.endswith("left out, 1 of at most 100") for line in lines)
  go(parts)
  for step in (6, 4):
    checkpoint_files.remove(os.path.join(parts, f"ckpt-{step}"))
  assert go(parts)["skipped_steps"] == 1
  left, right = (all_of(os.path.join(d, "ckpt-6")) for d in (whole_run, parts))
  for name in left.keys() - {"progress/seconds"}:
    np.testing.assert_array_equal(left[name], right[name], err_msg=name)


class EndingData(fake.Data):
  """The batch of step 3 cannot be read, nor can the images of evaluation."""

  def train(self, start_step=0, *shards):
    batches = super().train(start_step, *shards)
    return batches.enumerate(start_step).map(self._read)

  def eval(self, *shards):
    return super().eval(*shards).enumerate(3).map(self._read)

  def _read(self, step, batch):
    readable = tf.debugging.assert_none_equal(step, tf.cast(3, tf.int64))
    with tf.control_dependencies([readable]):
      return tf.nest.map_structure(tf.identity, batch)


def test_a_run_whose_input_fails_keeps_its_steps(whole_run, tmp_path):
  lines = []
  with pytest.raises(tf.errors.InvalidArgumentError):
    run(tmp_path, log=lines.append, data=EndingData)
  assert checkpoints.checkpoint_steps(tmp_path) == [2, 3]
  assert lines[-1].endswith(f"learned until then is in {tmp_path}/ckpt-3.")
  run(tmp_path)
  expected = all_of(str(whole_run[0] / f"ckpt-{STEPS}"))
  found = all_of(str(tmp_path / f"ckpt-{STEPS}"))
  for name in expected.keys() - {"progress/seconds"}:
    np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def test_a_run_whose_evaluation_fails_keeps_its_steps(tmp_path):
  class Data(EndingData):
    train = fake.Data.train

    def truths(self):
      return fake.Data(self._options, None).truths()

  options = experiment()
  options.trainer_options.save_checkpoints_steps = 100
  with pytest.raises(tf.errors.InvalidArgumentError):
    run_experiment(
      options, "train_and_eval", str(tmp_path), build=fake.build, data=Data
    )
  assert checkpoints.checkpoint_steps(tmp_path) == [4]


def test_what_is_done_is_not_done_again(whole_run, tmp_path):
  shutil.copytree(whole_run[0], tmp_path, dirs_exist_ok=True)
  lines = []
  metrics = run(tmp_path, "train_and_eval", lines.append)
  assert metrics["step"] == STEPS
  assert not any(line.startswith("evaluation at step") for line in lines)
  assert "All is done and evaluated; --mode=eval evaluates it again." in lines
