import json
import os
import shutil

import pytest
import tensorflow as tf

from deeplab2.training import checkpoints
from deeplab2.training import fake_architecture as fake
from deeplab2.training.fake_run import STEPS, experiment, run
from deeplab2.training.run import run_experiment


def test_it_trains_evaluates_and_leaves_what_it_promised(whole_run):
  directory, lines, metrics = whole_run
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


def test_the_curves_are_there(whole_run):
  directory, _, _ = whole_run
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


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_directory_in_the_place_of_a_file_is_refused(
  whole_run, tmp_path, mode
):
  copy = shutil.copytree(whole_run[0], tmp_path / "copy")
  (copy / "metrics.json").unlink()
  (copy / "metrics.json").mkdir()
  with pytest.raises(ValueError, match="model_dir: expected nothing or a file"):
    run(copy, mode)


def test_a_second_run_is_refused_while_one_is_at_work(tmp_path):
  def start_another(line):
    if line.startswith("The first step took"):
      with pytest.raises(ValueError, match=f"process {os.getpid()} on"):
        run(tmp_path)
      refused.append(line)

  refused = []
  run(tmp_path, log=start_another)
  assert refused
