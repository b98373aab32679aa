import os

import pytest

from deeplab2.training import checkpoints
from deeplab2.training import fake_architecture as fake
from deeplab2.training.evaluation_loop import EvaluationLoop, evaluation_lines
from deeplab2.training.evaluator import Evaluation


class Board:
  def begin_at(self, step):
    pass

  def scalars(self, step, values):
    pass


class Evaluator:
  """Finds nothing but the number of updates that the model had."""

  def __init__(self, global_step):
    self._global_step = global_step

  def evaluate(self, steps):
    assert int(steps) == -1
    return Evaluation(int(self._global_step), 3, {"total_loss": 0.5}, None)


@pytest.fixture
def loop():
  import tensorflow as tf

  experiment = fake.experiment(training_number_of_steps=4)
  experiment.evaluator_options.continuous_eval_timeout = 0
  global_step = tf.Variable(0, dtype=tf.int64)
  architecture = fake.build(experiment)
  reports, lines = [], []
  made = EvaluationLoop(
    Evaluator(global_step),
    architecture,
    global_step,
    Board(),
    experiment,
    reports.append,
    lines.append,
  )
  state = checkpoints.model_state(architecture.model)
  state[checkpoints.GLOBAL_STEP] = global_step
  return made, experiment, state, reports, lines


def save(folder, state, step):
  state[checkpoints.GLOBAL_STEP].assign(step)
  checkpoints.save(os.path.join(folder, f"ckpt-{step}"), state)
  state[checkpoints.GLOBAL_STEP].assign(0)


def test_a_checkpoint_is_loaded_and_its_metrics_reported(loop, tmp_path):
  made, _, state, reports, lines = loop
  save(tmp_path, state, 2)
  made.evaluate_checkpoint(str(tmp_path / "ckpt-2"))
  assert reports[0]["eval"] == {
    "step": 2,
    "images": 3,
    "missing_images": 0,
    "losses": {"total_loss": 0.5},
  }
  assert lines[0] == f"Evaluating {tmp_path / 'ckpt-2'}."


def test_continuous_evaluation_ends_with_the_last_step(loop, tmp_path):
  made, experiment, state, reports, _ = loop
  experiment.evaluator_options.continuous_eval_timeout = 60
  save(tmp_path, state, 4)
  made.evaluate_continuously(str(tmp_path))
  assert [report["eval"]["step"] for report in reports] == [4]


def test_continuous_evaluation_gives_up_after_its_timeout(loop, tmp_path):
  made, _, _, reports, lines = loop
  made.evaluate_continuously(str(tmp_path))
  assert reports == []
  assert lines[-1] == "No new checkpoint within continuous_eval_timeout, 0 s."


def test_the_lines_say_what_was_found():
  found = Evaluation(7, 5, {"a": 0.25, "b": 2.0}, None)
  assert evaluation_lines(found, (), 1.5) == (
    "evaluation at step 7: 5 images in 1.5 s | a 0.2500, b 2.0000"
  )
  found = found._replace(missing=3)
  assert evaluation_lines(found, ("a", "b"), 1.5).startswith(
    "evaluation at step 7: 5 images in 1.5 s, 3 more could not be read and are "
    "not scored | a 0.2500"
  )
