import signal
import subprocess
import sys

import pytest
import tensorflow as tf

from deeplab2.training import multi_host
from deeplab2.training.cluster import Cluster

CLUSTER = Cluster(("10.0.0.1:9000", "10.0.0.2:9000"), 1)


def test_a_lost_host_is_told_in_plain_words():
  said = (
    "Graph execution error:\n\nCollective ops is aborted by: failed to connect"
    " to all addresses\nThe error could be from a previous operation."
  )
  with (
    pytest.raises(multi_host.HostLostError) as error,
    multi_host.readable_loss(CLUSTER),
  ):
    raise tf.errors.UnavailableError(None, None, said)
  assert str(error.value) == (
    "host 1 of 2 (10.0.0.2:9000): another host is gone, or ended; what it said"
    " last says why. No step can be taken without it: the run goes on from the"
    " last checkpoint when all hosts are started again.\n  (TensorFlow:"
    " Collective ops is aborted by: failed to connect to all addresses)"
  )


@pytest.mark.parametrize(
  "cluster, error",
  [
    (CLUSTER, tf.errors.InvalidArgumentError(None, None, "shapes differ")),
    (CLUSTER, ValueError("shapes differ")),
    (None, tf.errors.UnavailableError(None, None, "no network")),
  ],
)
def test_other_errors_stay_what_they_are(cluster, error):
  with pytest.raises(type(error)) as raised, multi_host.readable_loss(cluster):
    raise error
  assert raised.value is error


def test_an_alarm_ends_what_does_not_hear_signals():
  """As TensorFlow does not: `sleep` stands for it, in a process of its own."""
  code = (
    "import ctypes; from deeplab2.training import multi_host\n"
    "with multi_host._mortal(0.5): ctypes.PyDLL(None).sleep(60)"
  )
  ended = subprocess.run([sys.executable, "-c", code])
  assert ended.returncode == -signal.SIGALRM


def test_handlers_of_signals_are_back_afterwards():
  before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGALRM)]
  with multi_host._mortal(60):
    assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
  after = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGALRM)]
  assert after == before
  assert signal.alarm(0) == 0
