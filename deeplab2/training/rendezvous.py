"""Hosts find each other before TensorFlow waits for them.

TensorFlow waits for the others without end, and meanwhile nothing else runs in
the process: no reminder, no patience, no Ctrl-C. So each host first listens at
its own address and knocks at those of the others, until all have answered.
"""

import contextlib
import os
import socket
import time
from collections.abc import Iterator

from deeplab2.training.cluster import Cluster

_REMINDER_SECONDS = 30.0
_PAUSE_SECONDS = 0.2
_KNOCK_SECONDS = 2.0


class HostsMissingError(Exception):
  """Not all hosts of a cluster came in time."""


def meet(
  cluster: Cluster,
  patience: float,
  reminder_seconds: float = _REMINDER_SECONDS,
) -> None:
  """Returns once every other host listens at its address.

  One that has gone on to TensorFlow listens there still, for TensorFlow. Says
  from time to time who is missing.

  Args:
    cluster: all hosts, and which of them this is.
    patience: seconds to wait.
    reminder_seconds: between two reminders.

  Raises:
    HostsMissingError: patience is over.
    ValueError: another program listens at this host's port.
  """
  begun = reminded = time.monotonic()
  with _listening(cluster):
    while missing := _missing(cluster):
      now = time.monotonic()
      if now - begun >= patience:
        raise HostsMissingError(
          f"{cluster.title}: {', '.join(missing)} did not come within"
          f" {patience:.0f} s. Are they started, with the same cluster in"
          " TF_CONFIG, and do their addresses reach each other?"
        )
      if now - reminded >= reminder_seconds:
        reminded = now
        print(
          f"{cluster.title}: waiting for {', '.join(missing)} for"
          f" {now - begun:.0f} s ...",
          flush=True,
        )
      time.sleep(_PAUSE_SECONDS)


@contextlib.contextmanager
def _listening(cluster: Cluster) -> Iterator[None]:
  """Within, others that knock at this host's port are heard."""
  _, port = _split(cluster.addresses[cluster.index])
  dual = socket.has_dualstack_ipv6()
  try:
    listener = socket.create_server(
      ("", port),
      family=socket.AF_INET6 if dual else socket.AF_INET,
      backlog=cluster.size,
      dualstack_ipv6=dual,
    )
  except OSError as error:
    raise ValueError(
      f"TF_CONFIG: expected a free port for {cluster.title}, such as another"
      f" one in its address; got {port}: {os.strerror(error.errno)}."
    ) from error
  with listener:
    yield


def _missing(cluster: Cluster) -> list[str]:
  """The addresses at which nobody answers."""
  return [
    address
    for i, address in enumerate(cluster.addresses)
    if i != cluster.index and not _answers(address)
  ]


def _answers(address: str) -> bool:
  try:
    socket.create_connection(_split(address), _KNOCK_SECONDS).close()
  except OSError:
    return False
  return True


def _split(address: str) -> tuple[str, int]:
  host, _, port = address.rpartition(":")
  return host.strip("[]"), int(port)
