import keras
import numpy as np
import pytest
import tensorflow as tf

from deeplab2.training.kept_statistics import KeptStatistics

# A value that no arithmetic gives back, such as (x + 1) - 1.
VALUES = np.float32([1e-8, -0.0, 1 / 3, np.inf, 3e38])


class Devices:
  """A statistic on some devices, and what is kept of it."""

  def __init__(self, strategy):
    self.strategy = strategy
    with strategy.scope():
      self.variable = keras.Variable(
        VALUES, trainable=False, synchronization="on_read", aggregation="mean"
      )
      self.kept = KeptStatistics(strategy, [self.variable])

  def run(self, function):
    with self.strategy.scope():
      self.strategy.run(tf.function(function))

  def add(self, amount):
    """Adds so much, and more on the second device than on the first."""

    def added():
      replica = tf.distribute.get_replica_context()
      share = tf.cast(1 + replica.replica_id_in_sync_group, tf.float32)
      self.variable.assign(self.variable.value + amount * share)

    self.run(added)

  def values(self):
    """The bytes that each device has."""
    local = self.strategy.experimental_local_results(self.variable.value)
    return [one.numpy().tobytes() for one in local]


@pytest.fixture(params=["one_device", "two_devices"])
def devices(request):
  return Devices(request.getfixturevalue(request.param))


@pytest.fixture(params=["restore", "restore_from_outside"])
def restore(request):
  """Both ways to take a step back."""

  def restored(devices):
    if request.param == "restore":
      devices.run(devices.kept.restore)
    else:
      devices.kept.restore_from_outside()

  return restored


def test_every_bit_of_what_was_kept_comes_back(devices, restore):
  devices.run(devices.kept.keep)
  for _ in range(2):
    devices.add(0.5)
    assert VALUES.tobytes() not in devices.values()
    restore(devices)
    assert set(devices.values()) == {VALUES.tobytes()}


def test_each_device_has_its_own_back(devices, restore):
  devices.add(0.5)
  devices.run(devices.kept.keep)
  before = devices.values()
  assert len(set(before)) == len(before)
  devices.add(2.0)
  assert devices.values() != before
  restore(devices)
  assert devices.values() == before
