import pytest
import tensorflow as tf

from deeplab2.training import strategies


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
