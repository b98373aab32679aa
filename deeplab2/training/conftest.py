"""Two virtual CPUs, on which the tests compare one device with several."""

import pytest
import tensorflow as tf


def _split_cpu():
  """Before TensorFlow starts; a process can only split its CPU then."""
  cpu = tf.config.list_physical_devices("CPU")[0]
  try:
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
  except RuntimeError:
    return  # `two_devices` skips


_split_cpu()


@pytest.fixture
def one_device():
  return tf.distribute.OneDeviceStrategy("CPU:0")


@pytest.fixture(scope="session")
def two_devices():
  """One for all tests: a second one would number its sums from the start."""
  if len(tf.config.list_logical_devices("CPU")) < 2:
    pytest.skip("TensorFlow was started before its CPU could be split.")
  return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory):
  """Directory, lines and metrics of a run that nothing interrupted."""
  from deeplab2.training.fake_run import run

  directory = tmp_path_factory.mktemp("whole")
  lines = []
  metrics = run(directory, "train_and_eval", lines.append)
  return directory, lines, metrics
