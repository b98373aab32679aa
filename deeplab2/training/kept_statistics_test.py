import keras
import numpy as np
import pytest
import tensorflow as tf

from deeplab2.training.kept_statistics import KeptStatistics

# A value that no arithmetic gives back, such as (x + 1) - 1.
VALUES = np.float32([1e-8, -0.0, 1 / 3, np.inf, 3e38])
SHAPES = (), (5,), (2, 1, 3)


class Devices:
  """Statistics on some devices, and what is kept of them."""

  def __init__(self, strategy):
    self.strategy = strategy
    with strategy.scope():
      self.variables = [
        keras.Variable(
          np.resize(VALUES, shape),
          trainable=False,
          synchronization="on_read",
          aggregation="mean",
        )
        for shape in SHAPES
      ]
      self.kept = KeptStatistics(strategy, self.variables)

  def run(self, function):
    with self.strategy.scope():
      self.strategy.run(tf.function(function))

  def add(self, amount):
    """Adds so much, and more on the second device than on the first."""

    def added():
      replica = tf.distribute.get_replica_context()
      share = tf.cast(1 + replica.replica_id_in_sync_group, tf.float32)
      for i, variable in enumerate(self.variables):
        variable.assign(variable.value + (i + 1) * amount * share)

    self.run(added)

  def values(self):
    """The bytes that each device has of each variable."""
    local = self.strategy.experimental_local_results
    by_variable = [local(variable.value) for variable in self.variables]
    return [
      tuple(one.numpy().tobytes() for one in ones)
      for ones in zip(*by_variable, strict=True)
    ]


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
  first = tuple(np.resize(VALUES, shape).tobytes() for shape in SHAPES)
  devices.run(devices.kept.keep)
  for _ in range(2):
    devices.add(0.5)
    assert first not in devices.values()
    restore(devices)
    assert set(devices.values()) == {first}


def test_before_the_first_step_the_values_are_those_of_the_beginning(devices):
  before = devices.values()
  devices.add(0.5)
  devices.kept.restore_from_outside()
  assert devices.values() == before


def test_a_model_may_have_no_statistics(one_device):
  with one_device.scope():
    kept = KeptStatistics(one_device, [])
    one_device.run(tf.function(kept.keep))
    one_device.run(tf.function(kept.restore))
  kept.restore_from_outside()


def test_each_device_has_its_own_back(devices, restore):
  devices.add(0.5)
  devices.run(devices.kept.keep)
  before = devices.values()
  assert len(set(before)) == len(before)
  devices.add(2.0)
  assert devices.values() != before
  restore(devices)
  assert devices.values() == before
