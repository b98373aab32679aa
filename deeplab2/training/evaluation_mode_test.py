import shutil

import pytest
import tensorflow as tf

from deeplab2.training import fake_architecture as fake
from deeplab2.training.fake_run import run
from deeplab2.training.history import read_history


def test_the_newest_checkpoint_can_be_evaluated_later(whole_run, tmp_path):
  directory, _, metrics = whole_run
  shutil.copytree(directory, tmp_path, dirs_exist_ok=True)
  for mode in ("eval", "continuous_eval"):
    again = run(tmp_path, mode)
    assert again["eval"] == metrics["eval"]


def test_continuous_evaluation_gives_up_after_its_timeout(tmp_path):
  lines = []
  run(tmp_path, "continuous_eval", lines.append)
  assert lines[-1] == "No new checkpoint within continuous_eval_timeout, 1 s."


def test_nothing_to_evaluate_is_an_error(tmp_path):
  with pytest.raises(ValueError, match="checkpoint: expected the prefix of"):
    run(tmp_path, "eval")


def test_an_evaluation_that_fails_leaves_the_curves(whole_run, tmp_path):
  class Data(fake.Data):
    def eval(self, *shards):
      return super().eval(*shards).map(self._fail)

    def _fail(self, batch):
      never = tf.debugging.Assert(False, ["unreadable"])
      with tf.control_dependencies([never]):
        return tf.nest.map_structure(tf.identity, batch)

  shutil.copytree(whole_run[0], tmp_path, dirs_exist_ok=True)
  before = repr(read_history(str(tmp_path)))  # with nan, which equals nothing
  with pytest.raises(tf.errors.InvalidArgumentError):
    run(tmp_path, "eval", data=Data)
  assert repr(read_history(str(tmp_path))) == before
