"""Where a run computes: CPU, GPUs, a TPU, and any number of hosts."""

import os
from typing import NamedTuple

import tensorflow as tf

from deeplab2.training import multi_host
from deeplab2.training.cluster import Cluster, read_cluster


class Hosts(NamedTuple):
  """How many hosts share each batch, and which of them this is."""

  count: int
  index: int

  @property
  def is_chief(self) -> bool:
    """Whether this host writes the files of the run."""
    return self.index == 0


def build_strategy(
  num_gpus: int | None = None,
  master: str | None = None,
  num_virtual_devices: int | None = None,
  *,
  cluster: Cluster | None = None,
  patience: float = 600.0,
):
  """The tf.distribute.Strategy for the devices asked for.

  Args:
    num_gpus: 0 for the CPU, 1 for one GPU, more for synchronous copies of the
      model on so many; None takes one GPU if there is one. With a cluster, on
      each host.
    master: name or address of a TPU, "local" for one in this machine.
    num_virtual_devices: splits the CPU in so many devices, to try what several
      would do; TensorFlow must not have been used before.
    cluster: from `read_cluster`, for copies of the model on several hosts. The
      environment has the same, in TF_CONFIG.
    patience: seconds to wait for the other hosts.

  Raises:
    ValueError: there are fewer GPUs than asked for, or the arguments do not go
      together.
    rendezvous.HostsMissingError: the other hosts did not come.
  """
  _check_together(num_gpus, master, num_virtual_devices, cluster)
  if master:
    return _tpu(master)
  if num_virtual_devices:
    return _virtual_devices(num_virtual_devices)
  gpus = tf.config.list_physical_devices("GPU")
  if num_gpus is None:
    num_gpus = min(1, len(gpus))
  if not 0 <= num_gpus <= len(gpus):
    raise ValueError(
      f"num_gpus: expected 0 (the CPU) to {len(gpus)}, the GPUs that TensorFlow"
      f" sees here; got {num_gpus}."
    )
  _grow_memory(gpus)
  if cluster is not None:
    # This strategy takes all GPUs that it sees.
    tf.config.set_visible_devices(gpus[:num_gpus], "GPU")
    return multi_host.build_strategy(cluster, patience)
  if num_gpus > 1:
    return tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(num_gpus)])
  return tf.distribute.OneDeviceStrategy("GPU:0" if num_gpus else "CPU:0")


def is_tpu(strategy) -> bool:
  """Whether steps run on a TPU."""
  return isinstance(strategy, tf.distribute.TPUStrategy)


def hosts_of(strategy) -> Hosts:
  """The hosts of a strategy; one, unless it was built for a cluster."""
  if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
    return Hosts(1, 0)
  cluster = read_cluster(os.environ.get("TF_CONFIG"))
  return Hosts(cluster.size, cluster.index) if cluster else Hosts(1, 0)


def kind_of_device(strategy) -> str:
  """ "CPU", "GPU" or "TPU"."""
  device = strategy.extended.worker_devices[0]
  return tf.DeviceSpec.from_string(device).device_type


def check_batch_size(field: str, batch_size: int, strategy) -> None:
  """Raises a ValueError unless the batch divides among the devices."""
  replicas = strategy.num_replicas_in_sync
  if batch_size % replicas:
    raise ValueError(
      f"{field}: expected a multiple of {replicas}, the number of devices; got"
      f" {batch_size}."
    )


def distribute(strategy, dataset, *, to_devices: bool = True):
  """Hands each device its part of every batch of a dataset.

  Args:
    strategy: any.
    dataset: batches of static shape; on several hosts, the part of each batch
      that falls to this one.
    to_devices: whether they are copied there; strings cannot be.
  """
  options = tf.distribute.InputOptions(experimental_fetch_to_device=to_devices)
  hosts = hosts_of(strategy)
  if hosts.count == 1:
    return strategy.experimental_distribute_dataset(dataset, options)
  devices = strategy.num_replicas_in_sync // hosts.count
  # TensorFlow would hand the same batches to all hosts.
  return strategy.distribute_datasets_from_function(
    lambda context: _divided(dataset, devices), options
  )


def summed(values):
  """Sums over the devices of all hosts, in the replica context."""
  replica = tf.distribute.get_replica_context()
  if replica.num_replicas_in_sync == 1:
    return values
  # Arguments and what comes out of a loop are on no device, and hosts need to
  # know which.
  values = tf.nest.map_structure(tf.identity, values)
  return replica.all_reduce(tf.distribute.ReduceOp.SUM, values)


def first_value(strategy, value):
  """A replica's value, where all replicas hold the same."""
  return strategy.experimental_local_results(value)[0]


def joined(strategy, value):
  """The values of all replicas, on all hosts, joined along the batch.

  Raises:
    TypeError: strings, which cannot travel from host to host.
  """
  if hosts_of(strategy).count > 1:
    return strategy.gather(value, axis=0)
  return tf.concat(strategy.experimental_local_results(value), axis=0)


def any_host(strategy, flag: bool) -> bool:
  """Whether one of the hosts says so; all of them have to ask."""
  if hosts_of(strategy).count == 1:
    return flag
  return float(_total(strategy, tf.constant(float(flag)))) > 0


def agreed(strategy, number: int) -> bool:
  """Whether all hosts have the same number; all of them have to ask."""
  if hosts_of(strategy).count == 1:
    return True
  total = int(_total(strategy, tf.constant(number, tf.int64)))
  differs = total != number * strategy.num_replicas_in_sync
  return not any_host(strategy, differs)


@tf.function(autograph=False)
def _total(strategy, value):
  """The sum of what all replicas have."""
  return first_value(strategy, strategy.run(summed, args=(value,)))


def _check_together(num_gpus, master, num_virtual_devices, cluster) -> None:
  given = {
    "master": master,
    "num_virtual_devices": num_virtual_devices,
    "num_gpus": num_gpus,
    "TF_CONFIG": cluster and f"{cluster.size} hosts",
  }
  for first, second, why in (
    ("master", "num_virtual_devices", "a TPU has devices of its own"),
    ("master", "num_gpus", "a run is on a TPU or on GPUs"),
    ("master", "TF_CONFIG", "a TPU knows its hosts"),
    ("num_virtual_devices", "num_gpus", "they are parts of the CPU"),
    ("num_virtual_devices", "TF_CONFIG", "each process is a device there"),
  ):
    if given[first] and given[second]:
      raise ValueError(
        f"{first}: expected none with {second}, {why}; got {given[first]} with"
        f" {second} {given[second]}."
      )


def _divided(dataset, devices: int):
  """One batch a device, in order, from the batches of a host."""
  if devices == 1:
    return dataset
  size = tf.nest.flatten(dataset.element_spec)[0].shape[0]
  return dataset.rebatch(size // devices)


def _virtual_devices(count: int):
  cpu = tf.config.list_physical_devices("CPU")[0]
  # A split in more devices, of an earlier call, does as well.
  split = tf.config.get_logical_device_configuration(cpu) or [None]
  if len(split) < count:
    try:
      tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * count
      )
    except RuntimeError:
      raise ValueError(
        "num_virtual_devices: expected to be asked for before TensorFlow is"
        f" first used; got {count} after that."
      ) from None
  if count == 1:
    return tf.distribute.OneDeviceStrategy("CPU:0")
  return tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(count)])


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
