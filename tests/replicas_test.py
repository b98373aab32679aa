"""Batch normalization and recomputation on two replicas.

In a process of its own: TensorFlow divides a CPU in two only before its first
use.
"""

import os
import pathlib
import subprocess
import sys

import keras
import pytest

if keras.backend.backend() != "tensorflow":
  pytest.skip("tf.distribute is TensorFlow's", allow_module_level=True)

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPT = """
import sys
import numpy as np
import tensorflow as tf
from deeplab2.layers.batch_norm import BatchNorm, NormOptions
from deeplab2.layers.recompute import runner

cpu = tf.config.list_physical_devices("CPU")[0]
halves = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, halves)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
x = np.random.default_rng(0).normal(2, 3, (4, 5, 3)).astype("float32")


def averages(layer):
  return [
    [copy.numpy() for copy in strategy.experimental_local_results(v.value)]
    for v in layer.non_trainable_variables
  ]


def step(synchronized, again):
  with strategy.scope():
    layer = BatchNorm(NormOptions(momentum=0.9, synchronized=synchronized))
    layer(x)

  @tf.function
  def run(part):
    def replica(part):
      with tf.GradientTape() as tape:
        y = runner(training=True, again=again)(layer, part)
        loss = tf.reduce_sum(y * y * part)
      return y, tape.gradient(loss, layer.gamma.value)

    return strategy.run(replica, args=(part,))

  parts = strategy.experimental_distribute_values_from_function(
    lambda context: tf.constant(x[2 * context.replica_id_in_sync_group :][:2])
  )
  y, _ = run(parts)
  return np.concatenate(strategy.experimental_local_results(y)), layer


for again in (False, True):
  one = BatchNorm(NormOptions(momentum=0.9))
  whole = one(x, training=True)
  y, layer = step(True, again)
  np.testing.assert_allclose(y, whole, atol=1e-5)
  for copies, value in zip(averages(layer), one.non_trainable_variables):
    np.testing.assert_allclose(copies, [value.numpy()] * 2, atol=1e-5)

  y, layer = step(False, again)
  halves = []
  for part in (x[:2], x[2:]):
    one = BatchNorm(NormOptions(momentum=0.9))
    halves.append((one(part, training=True), one.non_trainable_variables))
  expected = np.concatenate([h[0] for h in halves])
  np.testing.assert_allclose(y, expected, atol=1e-5)
  for i, copies in enumerate(averages(layer)):
    mean = np.mean([h[1][i].numpy() for h in halves], axis=0)
    np.testing.assert_allclose(copies, [mean] * 2, atol=1e-5)
print("agreed")
"""


def test_synchronized_replicas_are_one_batch_and_others_average():
  environment = dict(os.environ, CUDA_VISIBLE_DEVICES="", PYTHONPATH=str(ROOT))
  result = subprocess.run(
    [sys.executable, "-c", SCRIPT],
    env=environment,
    capture_output=True,
    text=True,
    check=False,
  )
  assert result.stdout.endswith("agreed\n"), result.stderr[-3000:]
