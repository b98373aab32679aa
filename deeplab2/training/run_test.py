import json
import os
import signal
import time

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.training import checkpoint_files, checkpoints
from deeplab2.training import fake_architecture as fake
from deeplab2.training.nonfinite import NonFiniteError
from deeplab2.training.run import run_experiment
from deeplab2.training.training_loop import RunInterruptedError

STEPS = 6


def experiment(**solver):
  options = fake.experiment(
    training_number_of_steps=STEPS,
    warmup_steps=2,
    backbone_learning_rate_multiplier=0.1,
    **solver,
  )
  options.evaluator_options.eval_interval = 4
  options.evaluator_options.num_vis_samples = 1
  options.evaluator_options.continuous_eval_timeout = 1
  return options


def run(directory, mode="train", log=lambda line: None, data=fake.Data, **kw):
  return run_experiment(
    experiment(**kw), mode, str(directory), build=fake.build, data=data, log=log
  )


def all_of(prefix):
  return checkpoint_files.read(prefix, checkpoint_files.shapes(prefix))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
  """The directory of a run that nothing interrupted, and what it said."""
  directory = tmp_path_factory.mktemp("whole")
  lines = []
  metrics = run(directory, "train_and_eval", lambda line: lines.append(line))
  return directory, lines, metrics


def test_it_trains_evaluates_and_leaves_what_it_promised(whole):
  directory, lines, metrics = whole
  assert checkpoints.checkpoint_steps(directory) == [2, 4, 6]
  assert json.loads((directory / "metrics.json").read_text()) == metrics
  assert metrics["step"] == metrics["eval"]["step"] == STEPS
  assert metrics["eval"]["images"] == 7
  assert 0 <= metrics["eval"]["panoptic_quality"]["all"]["pq"] <= 1
  evaluations = [s for s in lines if s.startswith("evaluation at step")]
  assert len(evaluations) == 2
  assert (directory / "experiment.textproto").exists()
  assert (directory / "dataset.json").read_text() == fake.DATASET.to_json()
  assert [s for s in lines if "etrics:" in s] == [
    f"Metrics: {directory}/metrics.json"
  ]


def test_the_curves_are_there(whole):
  directory, _, _ = whole
  tags = {
    value.tag
    for path in (*directory.glob("train/*"), *directory.glob("eval/*"))
    for event in tf.compat.v1.train.summary_iterator(str(path))
    for value in event.summary.value
  }
  assert {
    "losses/mask_loss",
    "losses/total_loss",
    "learning_rate/backbone",
    "learning_rate/rest",
    "steps_per_second",
    "pq/all",
    "sq/stuff",
    "rq_per_class/green",
    "predictions/1000",
  } <= tags


def test_an_interrupted_run_ends_as_an_uninterrupted_one(whole, tmp_path):
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
  expected = all_of(str(whole[0] / f"ckpt-{STEPS}"))
  found = all_of(str(tmp_path / f"ckpt-{STEPS}"))
  assert expected.keys() == found.keys()
  for name in expected.keys() - {"progress/seconds"}:
    np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def test_the_newest_checkpoint_can_be_evaluated_later(whole):
  directory, _, metrics = whole
  for mode in ("eval", "continuous_eval"):
    again = run(directory, mode)
    assert again["eval"] == metrics["eval"]


def test_continuous_evaluation_gives_up_after_its_timeout(tmp_path):
  lines = []
  run(tmp_path, "continuous_eval", lines.append)
  assert lines[-1] == "No new checkpoint within continuous_eval_timeout, 1 s."


def test_nothing_to_evaluate_is_an_error(tmp_path):
  with pytest.raises(ValueError, match="checkpoint: expected the prefix of"):
    run(tmp_path, "eval")


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

  whole, parts = str(tmp_path / "whole"), str(tmp_path / "parts")
  lines = []
  assert go(whole, lines.append)["skipped_steps"] == 1
  assert any(line.endswith("left out, 1 of at most 100") for line in lines)
  go(parts)
  for step in (6, 4):
    checkpoint_files.remove(os.path.join(parts, f"ckpt-{step}"))
  assert go(parts)["skipped_steps"] == 1
  left, right = (all_of(os.path.join(d, "ckpt-6")) for d in (whole, parts))
  for name in left.keys() - {"progress/seconds"}:
    np.testing.assert_array_equal(left[name], right[name], err_msg=name)


def test_a_batch_that_does_not_divide_is_refused(two_devices, tmp_path):
  options = experiment()
  options.eval_dataset_options.batch_size = 3
  with pytest.raises(ValueError, match="eval_dataset_options"):
    run_experiment(options, "eval", str(tmp_path), two_devices)
  options.trainer_options.jit_compile = True
  with pytest.raises(ValueError, match="jit_compile: expected false on sev"):
    run_experiment(options, "train", str(tmp_path), two_devices)


def test_an_unknown_mode_lists_the_choices(tmp_path):
  with pytest.raises(ValueError, match="mode: expected one of"):
    run(tmp_path, "test")
