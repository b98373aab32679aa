"""Hosts that come, go and come back.

All hosts take every step together. When one is gone the others cannot go on:
TensorFlow notices at once where a process died, and within half a minute where
a machine froze or fell off the net. It cannot take a host back into what runs.
So the others begin again as well, each in the place of its old process, and
wait; once the lost one is started again, all go on from the last checkpoint.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

import tensorflow as tf

from deeplab2.training import interruptions
from deeplab2.training.cluster import Cluster

# Exit status: nothing is wrong with this host (EX_TEMPFAIL of sysexits.h).
HOST_LOST = 75

_HEARTBEAT_SECONDS = 30
_REMINDER_SECONDS = 30.0
_PAUSE_SECONDS = 2.0
_GRACE_SECONDS = 1.0


class HostLostError(Exception):
  """Another host of the run did not come, or is gone."""


def build_strategy(
  cluster: Cluster, patience: float, end: Callable[[int], None] = os._exit
):
  """Copies of the model on all hosts; waits until they are there.

  A host that waits in vain, or hears Ctrl-C, ends the process: TensorFlow's own
  waiting for the others has no end, and no way out.
  """
  _set_timeouts(cluster, patience)
  with (
    _waiting(cluster, patience, end),
    interruptions.heard(grace=_GRACE_SECONDS, end=end),
    readable_loss(cluster),
  ):
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
def _waiting(
  cluster: Cluster,
  patience: float,
  end: Callable[[int], None] = os._exit,
) -> Iterator[None]:
  """Within, says from time to time what is waited for, and at last ends."""
  done = threading.Event()

  def watch():
    begun = time.monotonic()
    while not done.wait(min(_REMINDER_SECONDS, patience)):
      waited = time.monotonic() - begun
      print(
        f"{cluster.title}: waiting for the other hosts"
        f" ({', '.join(cluster.addresses)}) for {waited:.0f} s ...",
        flush=True,
      )
      if waited >= patience:
        print(
          f"{cluster.title}: the other hosts did not come within"
          f" {patience:.0f} s. Are they started, with the same cluster in"
          " TF_CONFIG, and do their addresses reach each other?",
          file=sys.stderr,
          flush=True,
        )
        end(HOST_LOST)
        return

  watcher = threading.Thread(target=watch, daemon=True)
  watcher.start()
  try:
    yield
  finally:
    done.set()
    watcher.join()
