"""Where a run computes: the CPU, one GPU, several, or a TPU."""

import tensorflow as tf


def build_strategy(num_gpus: int | None = None, master: str | None = None):
  """The tf.distribute.Strategy for the devices asked for.

  Args:
    num_gpus: 0 for the CPU, 1 for one GPU, more for synchronous copies of the
      model on so many; None takes one GPU if there is one.
    master: name or address of a TPU, "local" for one in this machine; it
      goes before `num_gpus`.

  Raises:
    ValueError: there are fewer GPUs than asked for.
  """
  if master:
    return _tpu(master)
  gpus = tf.config.list_physical_devices("GPU")
  if num_gpus is None:
    num_gpus = min(1, len(gpus))
  if not 0 <= num_gpus <= len(gpus):
    raise ValueError(
      f"num_gpus: expected 0 (the CPU) to {len(gpus)}, the GPUs that TensorFlow"
      f" sees here; got {num_gpus}."
    )
  _grow_memory(gpus)
  if num_gpus > 1:
    return tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(num_gpus)])
  return tf.distribute.OneDeviceStrategy("GPU:0" if num_gpus else "CPU:0")


def is_tpu(strategy) -> bool:
  """Whether steps run on a TPU."""
  return isinstance(strategy, tf.distribute.TPUStrategy)


def check_batch_size(field: str, batch_size: int, strategy) -> None:
  """Raises a ValueError unless the batch divides among the devices."""
  replicas = strategy.num_replicas_in_sync
  if batch_size % replicas:
    raise ValueError(
      f"{field}: expected a multiple of {replicas}, the number of devices; got"
      f" {batch_size}."
    )


def first_value(strategy, value):
  """A replica's value, where all replicas hold the same."""
  return strategy.experimental_local_results(value)[0]


def joined(strategy, value):
  """The values of all replicas, joined along the batch."""
  return tf.concat(strategy.experimental_local_results(value), axis=0)


def _tpu(master: str):
  resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=master)
  if master != "local":
    tf.config.experimental_connect_to_cluster(resolver)
  tf.tpu.experimental.initialize_tpu_system(resolver)
  return tf.distribute.TPUStrategy(resolver)


def _grow_memory(gpus) -> None:
  """Takes GPU memory as it is needed, and leaves the rest to others."""
  for gpu in gpus:
    if not tf.config.experimental.get_memory_growth(gpu):
      tf.config.experimental.set_memory_growth(gpu, True)
