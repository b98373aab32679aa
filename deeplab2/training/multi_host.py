"""Hosts that come, go and come back.

All hosts take every step together. When one is gone the others cannot go on:
TensorFlow notices at once where a process died, and within half a minute where
a machine froze or fell off the net. It cannot take a host back into what runs.
So the others begin again as well, each in the place of its old process, and
wait; once the lost one is started again, all go on from the last checkpoint.
"""

import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

import tensorflow as tf

from deeplab2.training import rendezvous
from deeplab2.training.cluster import Cluster

# Exit status: nothing is wrong with this host (EX_TEMPFAIL of sysexits.h).
HOST_LOST = 75

_HEARTBEAT_SECONDS = 30
_CONNECTING_SECONDS = 60  # at least, for hosts that are all there
_PAUSE_SECONDS = 2.0


class HostLostError(Exception):
  """Another host of the run is gone."""


def build_strategy(cluster: Cluster, patience: float):
  """Copies of the model on all hosts; waits until they are there.

  Raises:
    HostsMissingError: they do not come in so many seconds.
    HostLostError: one is lost while they connect.
    ValueError: the port of this host is taken.
  """
  rendezvous.meet(cluster, patience)
  _set_timeouts(cluster, patience)
  with _mortal(max(patience, _CONNECTING_SECONDS)), readable_loss(cluster):
    return tf.distribute.MultiWorkerMirroredStrategy()


@contextlib.contextmanager
def readable_loss(cluster: Cluster | None) -> Iterator[None]:
  """Within, what TensorFlow says of a lost host becomes a HostLostError."""
  if cluster is None:
    yield
    return
  try:
    yield
  except tf.errors.OpError as error:
    if not _is_loss(error):
      raise
    raise HostLostError(
      f"{cluster.title}: another host is gone, or ended; what it said last says"
      " why. No step can be taken without it: the run goes on from the last"
      " checkpoint when all hosts are started again.\n"
      f"  (TensorFlow: {_plain(error)})"
    ) from error


def start_again() -> None:
  """Replaces this process by a new one of the same command."""
  time.sleep(_PAUSE_SECONDS)  # for the others to notice, too
  for name in os.listdir("/dev/fd"):
    with contextlib.suppress(OSError):
      # Ports that stay open would keep the others talking to nobody.
      if int(name) > 2:
        os.set_inheritable(int(name), False)
  os.execv(sys.executable, sys.orig_argv)


def _is_loss(error: tf.errors.OpError) -> bool:
  if isinstance(error, tf.errors.UnavailableError):
    return True
  said = str(error)
  return "Collective ops is aborted" in said or "CoordinationService" in said


def _plain(error: tf.errors.OpError) -> str:
  """The line of the message that names the cause."""
  lines = [line.strip() for line in str(error).splitlines() if line.strip()]
  named = [line for line in lines if "aborted by" in line]
  return (named or lines or [type(error).__name__])[0][:300]


def _set_timeouts(cluster: Cluster, patience: float) -> None:
  """Bounds TensorFlow's waiting, which is for an hour by default.

  The strategy would set the same service up, without the bounds; there is no
  public way to give them.
  """
  from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
  from tensorflow.python.distribute import multi_worker_util
  from tensorflow.python.eager import context

  spec = tf.distribute.cluster_resolver.TFConfigClusterResolver().cluster_spec()
  context.context().configure_coordination_service(
    service_type="standalone",
    service_leader=multi_worker_util.coordination_leader(spec),
    coordinated_jobs=[
      coordination_config_pb2.CoordinatedJob(
        name=job, num_tasks=spec.num_tasks(job)
      )
      for job in spec.jobs
    ],
    cluster_register_timeout_in_ms=round(patience * 1000),
    heartbeat_timeout_in_ms=_HEARTBEAT_SECONDS * 1000,
  )


@contextlib.contextmanager
def _mortal(seconds: float) -> Iterator[None]:
  """Within, signals end the process, and an alarm does after so many seconds.

  While hosts connect, TensorFlow keeps Python from hearing of either.
  """
  if threading.current_thread() is not threading.main_thread():
    yield
    return
  numbers = signal.SIGINT, signal.SIGTERM, signal.SIGALRM
  before = {n: signal.signal(n, signal.SIG_DFL) for n in numbers}
  signal.alarm(math.ceil(seconds))
  try:
    yield
  finally:
    signal.alarm(0)
    for number, handler in before.items():
      signal.signal(number, handler or signal.SIG_DFL)
