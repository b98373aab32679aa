"""Two hosts, which are two processes here, and one of them dies.

What comes of it is what a single device makes of the same batches: weights
within float32 rounding, and panoptic quality to the last digit.
"""

import json
import os
import signal
import socket

import keras
import numpy as np
import pytest
import tensorflow as tf
from nursery import FORKS, Nursery

if keras.backend.backend() != "tensorflow":
  pytest.skip("tf.distribute is TensorFlow's", allow_module_level=True)

from deeplab2.training import (
  checkpoint_files,
  cluster,
  multi_host,
  run,
  strategies,
)
from deeplab2.training import fake_architecture as fake

STEPS = 6

pytestmark = pytest.mark.skipif(not FORKS, reason="no processes to fork")


class DoomedData(fake.Data):
  """Kills its process when the first checkpoint is there."""

  def __init__(self, folder):
    self._folder = folder

  def __call__(self, *arguments):
    super().__init__(*arguments)
    return self

  def train(self, start_step=0, *shards):
    steps = tf.data.Dataset.range(start_step, 2**40).map(
      lambda step: tf.py_function(self._die, [step], tf.int64)
    )
    batches = super().train(start_step, *shards)
    return tf.data.Dataset.zip(steps, batches).map(lambda _, batch: batch)

  def _die(self, step):
    if os.path.exists(f"{self._folder}/ckpt-2.index"):
      os.kill(os.getpid(), signal.SIGKILL)
    return step


def host(folder, doomed):
  """One of the hosts, in a process of its own; returns its exit status."""
  hosts = cluster.read_cluster(os.environ["TF_CONFIG"])
  try:
    with multi_host.readable_loss(hosts):
      strategy = strategies.build_strategy(cluster=hosts, patience=120)
      run.run_experiment(
        experiment(),
        "train_and_eval",
        folder,
        strategy,
        build=fake.build,
        data=DoomedData(folder) if doomed else fake.Data,
      )
  except multi_host.HostLostError as error:
    print(error)
    return multi_host.HOST_LOST
  return 0


def experiment():
  options = fake.experiment(
    training_number_of_steps=STEPS,
    optimizer="adam",
    use_gradient_clipping=True,
    clip_gradient_norm=0.1,
    backbone_learning_rate_multiplier=0.1,
  )
  options.trainer_options.gradient_accumulation_steps = 2
  options.trainer_options.ema_decay = 0.5
  options.eval_dataset_options.batch_size = 4
  options.evaluator_options.eval_interval = STEPS
  return options


def free_ports():
  with socket.socket() as one, socket.socket() as other:
    for it in (one, other):
      it.bind(("localhost", 0))
    return [it.getsockname()[1] for it in (one, other)]


@pytest.fixture(scope="module")
def nursery():
  nursery = Nursery()
  yield nursery
  nursery.close()


def run_hosts(nursery, folder, doomed=None):
  """Runs both to their ends; (status, what it said) of each."""
  addresses = [f"localhost:{port}" for port in free_ports()]
  processes = []
  for index in range(2):
    config = {
      "cluster": {"worker": addresses},
      "task": {"type": "worker", "index": index},
    }
    processes.append(
      nursery.start(
        "hosts_test:host",
        str(folder),
        index == doomed,
        log=folder.with_suffix(f".{index}.log"),
        TF_CONFIG=json.dumps(config),
      )
    )
  return [process.wait() for process in processes]


def test_a_lost_host_comes_back_and_two_do_what_one_does(nursery, tmp_path):
  alone = run.run_experiment(
    experiment(),
    "train_and_eval",
    str(tmp_path / "alone"),
    build=fake.build,
    data=fake.Data,
  )
  folder = tmp_path / "hosts"
  (status, said), (killed, _) = run_hosts(nursery, folder, doomed=1)
  assert killed == 128 + signal.SIGKILL
  assert status == multi_host.HOST_LOST, said
  assert "another host is gone, or ended" in said
  assert not (folder / f"ckpt-{STEPS}.index").exists()

  (status, said), (other, _) = run_hosts(nursery, folder)
  assert (status, other) == (0, 0), said
  assert "Going on from" in said

  files = [tmp_path / n / f"ckpt-{STEPS}" for n in ("alone", "hosts")]
  shapes = checkpoint_files.shapes(str(files[0]))
  names = [n for n in shapes if not n.startswith("progress/")]
  expected, found = (checkpoint_files.read(str(f), names) for f in files)
  assert any(name.startswith("ema/") for name in names)
  for name in names:
    np.testing.assert_allclose(
      found[name], expected[name], rtol=1e-4, atol=1e-5, err_msg=name
    )
  metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
  quality = alone["eval"]["panoptic_quality"]
  assert metrics["eval"]["panoptic_quality"] == json.loads(json.dumps(quality))
  assert metrics["eval"]["images"] == alone["eval"]["images"] == 7
