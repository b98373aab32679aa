import pytest
import tensorflow as tf

from deeplab2.training import strategies
from deeplab2.training.cluster import Cluster


def test_no_gpu_is_the_cpu():
  strategy = strategies.build_strategy(num_gpus=0)
  assert strategy.extended.worker_devices[0].endswith("CPU:0")


@pytest.mark.parametrize("num_gpus", [-1, 99])
def test_gpus_that_are_not_there_are_refused(num_gpus):
  there = len(tf.config.list_physical_devices("GPU"))
  with pytest.raises(ValueError) as error:
    strategies.build_strategy(num_gpus=num_gpus)
  assert str(error.value) == (
    f"num_gpus: expected 0 (the CPU) to {there}, the GPUs that TensorFlow sees"
    f" here; got {num_gpus}."
  )


def test_a_batch_must_divide_among_the_devices(two_devices):
  strategies.check_batch_size("batch_size", 4, two_devices)
  with pytest.raises(ValueError) as error:
    strategies.check_batch_size("batch_size", 5, two_devices)
  assert str(error.value) == (
    "batch_size: expected a multiple of 2, the number of devices; got 5."
  )


def test_parts_of_a_batch_are_joined_in_order(two_devices):
  batches = tf.data.Dataset.range(6).batch(6)
  distributed = two_devices.experimental_distribute_dataset(batches)
  values = two_devices.run(lambda x: x * 2, args=(next(iter(distributed)),))
  assert strategies.joined(two_devices, values).numpy().tolist() == [
    0, 2, 4, 6, 8, 10,
  ]  # fmt: skip


@pytest.mark.parametrize(
  "arguments, message",
  [
    (
      {"num_virtual_devices": 2, "num_gpus": 1},
      "num_virtual_devices: expected none with num_gpus, they are parts of the"
      " CPU; got 2 with num_gpus 1.",
    ),
    (
      {"master": "local", "num_virtual_devices": 2},
      "master: expected none with num_virtual_devices, a TPU has devices of its"
      " own; got local with num_virtual_devices 2.",
    ),
    (
      {"master": "local", "num_gpus": 2},
      "master: expected none with num_gpus, a run is on a TPU or on GPUs; got"
      " local with num_gpus 2.",
    ),
    (
      {"num_virtual_devices": 2, "cluster": Cluster(("a:1", "b:2"), 0)},
      "num_virtual_devices: expected none with TF_CONFIG, each process is a"
      " device there; got 2 with TF_CONFIG 2 hosts.",
    ),
  ],
)
def test_what_does_not_go_together_is_refused(arguments, message):
  with pytest.raises(ValueError) as error:
    strategies.build_strategy(**arguments)
  assert str(error.value) == message


def test_the_cpu_is_split_before_its_first_use_only(two_devices):
  del two_devices  # this process has split it in two, and used it
  strategy = strategies.build_strategy(num_virtual_devices=1)
  assert strategy.num_replicas_in_sync == 1
  with pytest.raises(ValueError) as error:
    strategies.build_strategy(num_virtual_devices=3)
  assert str(error.value) == (
    "num_virtual_devices: expected to be asked for before TensorFlow is first"
    " used; got 3 after that."
  )


def test_one_host_agrees_with_itself(two_devices):
  assert strategies.hosts_of(two_devices) == (1, 0)
  assert strategies.hosts_of(two_devices).is_chief
  assert strategies.agreed(two_devices, 7)
  assert strategies.any_host(two_devices, True)
  assert not strategies.any_host(two_devices, False)


def test_a_host_divides_its_part_among_its_devices():
  numbers = tf.data.Dataset.range(12).batch(6, drop_remainder=True)
  parts = strategies._divided(numbers, 3).as_numpy_iterator()
  pairs = [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]
  assert [part.tolist() for part in parts] == pairs
