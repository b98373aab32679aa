import os
import signal
import threading

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


def test_waiting_speaks_and_ends_when_patience_is_over(capsys):
  ended = []
  with multi_host._waiting(CLUSTER, 0.01, end=ended.append):
    while not ended:
      pass
  assert ended == [multi_host.HOST_LOST]
  said = capsys.readouterr()
  assert (
    "waiting for the other hosts (10.0.0.1:9000, 10.0.0.2:9000)" in said.out
  )
  assert "the other hosts did not come within 0 s. Are they started" in said.err


def test_ctrl_c_ends_the_waiting(monkeypatch):
  """TensorFlow waits outside of Python, which heard of it when all was over."""
  statuses, over = [], threading.Event()

  def wait_for_others():
    pipe = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(pipe)
    os.write(pipe, bytes([signal.SIGINT]))
    assert over.wait(10)

  def end(status):
    statuses.append(status)
    over.set()

  monkeypatch.setattr(multi_host, "_set_timeouts", lambda *arguments: None)
  monkeypatch.setattr(
    tf.distribute, "MultiWorkerMirroredStrategy", wait_for_others
  )
  multi_host.build_strategy(CLUSTER, 600.0, end)
  assert statuses == [130]


def test_who_need_not_wait_hears_nothing(capsys):
  with multi_host._waiting(CLUSTER, 30.0, end=lambda status: 1 / 0):
    pass
  assert capsys.readouterr().out == ""
