import pytest
import tensorflow as tf

from deeplab2.training import device_checks, fake_architecture, strategies


@pytest.fixture
def experiment():
  return fake_architecture.experiment()


def complaint(experiment, mode, strategy):
  with pytest.raises(ValueError) as error:
    device_checks.check_devices(experiment, mode, strategy)
  return str(error.value)


def test_one_device_takes_any_batch(experiment):
  experiment.train_dataset_options.batch_size = 7
  device_checks.check_devices(experiment, "train", strategies.build_strategy(0))


@pytest.mark.parametrize("split", ["train", "eval"])
def test_devices_divide_the_batch_of_each_split(experiment, two_devices, split):
  getattr(experiment, f"{split}_dataset_options").batch_size = 7
  assert complaint(experiment, "train_and_eval", two_devices) == (
    f"{split}_dataset_options.batch_size: expected a multiple of 2, the number"
    " of devices; got 7."
  )


def test_a_compiled_step_has_one_device(experiment, two_devices):
  experiment.trainer_options.jit_compile = True
  said = complaint(experiment, "train", two_devices)
  assert said.startswith(
    "trainer_options.jit_compile: expected false on several"
  )


def test_a_tpu_needs_a_compiled_step(experiment, monkeypatch):
  one = tf.distribute.OneDeviceStrategy("CPU:0")
  monkeypatch.setattr(strategies, "is_tpu", lambda strategy: True)
  said = complaint(experiment, "train", one)
  assert said.startswith("trainer_options.jit_compile: expected true")
