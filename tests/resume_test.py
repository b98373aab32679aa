"""A run that is killed again and again ends as one that was left alone.

A training of the small model is ended at random moments, by a signal or because
the disk is full.
"""

import json
import random
import resource
import signal
import time

import numpy as np
import pytest
from nursery import FORKS, Nursery

from deeplab2.training import checkpoint_files, checkpoints
from deeplab2.training.history import read_history

STEPS = 24
KILLS = 4
# Of the largest file that a "full" disk takes: curves fit, checkpoints do not.
ROOM = 6000

pytestmark = pytest.mark.skipif(not FORKS, reason="no processes to fork")


@pytest.fixture(scope="module")
def nursery():
  nursery = Nursery()
  yield nursery
  nursery.close()


def start(nursery, folder, full_at=None):
  """Begins a session in a folder."""
  return nursery.start(
    "resume_test:train", str(folder), full_at, log=folder.with_suffix(".log")
  )


@pytest.fixture(scope="module")
def whole(nursery, tmp_path_factory):
  """The folder of a run that nothing interrupted, and how long it took."""
  folder = tmp_path_factory.mktemp("whole")
  begun = time.monotonic()
  status, said = start(nursery, folder).wait()
  assert status == 0, said
  return folder, time.monotonic() - begun


def state(folder):
  """All that the last checkpoint holds but the time it took to get there."""
  prefix = str(folder / f"ckpt-{STEPS}")
  names = checkpoint_files.shapes(prefix).keys() - {"progress/seconds"}
  return checkpoint_files.read(prefix, names)


def timeless(value):
  if not isinstance(value, dict):
    return value
  return {k: timeless(v) for k, v in value.items() if not k.endswith("seconds")}


def metrics(folder):
  return timeless(json.loads((folder / "metrics.json").read_text()))


def curves(folder):
  """What was learned, of each step, without what it cost."""
  costs = ("steps_per_second", "input/bound", "memory_bytes")
  return [
    # As text, in which what is not a number equals itself.
    repr({k: v for k, v in point.items() if not any(c in k for c in costs)})
    for point in read_history(str(folder))
  ]


def assert_same(folder, whole):
  expected, found = state(whole), state(folder)
  assert found.keys() == expected.keys()
  for name, value in expected.items():
    np.testing.assert_array_equal(found[name], value, err_msg=name)
  assert metrics(folder) == metrics(whole)
  assert curves(folder) == curves(whole)
  left = [p.name for p in folder.iterdir() if "unfinished" in p.name]
  assert left == []


def test_kills_at_random_moments_change_nothing(nursery, whole, tmp_path):
  expected, seconds = whole
  draw = random.Random(5)
  reached = []
  for _ in range(KILLS):
    number = draw.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    session = start(nursery, tmp_path)
    session.kill(number, after=draw.uniform(0.3, seconds))
    status, said = session.wait()
    assert status in (0, 128 + number), said
    reached += checkpoints.checkpoint_steps(tmp_path)[-1:]
  assert reached == sorted(reached)
  assert reached, "no session came to a checkpoint"
  status, said = start(nursery, tmp_path).wait()
  assert status == 0, said
  assert_same(tmp_path, expected)


def test_a_full_disk_ends_a_run_and_costs_it_nothing(nursery, whole, tmp_path):
  status, said = start(nursery, tmp_path, full_at=8).wait()
  assert status == 1
  assert said.splitlines()[-1] == (
    f"{tmp_path}/ckpt-8: could not be written: File too large. Once that is "
    f"mended, the same command goes on from {tmp_path}/ckpt-6."
  )
  assert checkpoints.checkpoint_steps(tmp_path) == [4, 6]
  assert [p.name for p in tmp_path.iterdir() if "unfinished" in p.name] == []
  status, said = start(nursery, tmp_path).wait()
  assert status == 0, said
  assert f"Going on from {tmp_path}/ckpt-6." in said
  assert_same(tmp_path, whole[0])


def train(directory, full_at):
  """One session, in a process of its own; returns its exit status.

  Args:
    directory: of the run.
    full_at: the disk is full from this step on; None for never.
  """
  from deeplab2.training import fake_architecture as fake
  from deeplab2.training.files import NotWrittenError
  from deeplab2.training.run import run_experiment
  from deeplab2.training.training_loop import RunInterruptedError

  experiment = fake.experiment(
    training_number_of_steps=STEPS, backbone_learning_rate_multiplier=0.1
  )
  experiment.trainer_options.num_checkpoints_to_keep = 2
  experiment.trainer_options.save_summaries_steps = 6
  experiment.evaluator_options.eval_interval = 12
  experiment.evaluator_options.num_vis_samples = 1

  def say(line):
    print(line, flush=True)
    time.sleep(0.05)  # a step of the small model takes nearly no time
    if full_at is not None and line.startswith(f"step {full_at:>2}/"):
      resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))

  try:
    run_experiment(
      experiment,
      "train_and_eval",
      directory,
      build=fake.build,
      data=fake.Data,
      log=say,
    )
  except NotWrittenError as error:
    say(str(error))
    return 1
  except RunInterruptedError as interrupted:
    return 128 + interrupted.signal
  return 0
