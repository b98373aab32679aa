import re
import socket
import threading

import pytest

from deeplab2.training import rendezvous
from deeplab2.training.cluster import Cluster


def free_addresses(count):
  sockets = [socket.socket() for _ in range(count)]
  for it in sockets:
    it.bind(("localhost", 0))
  addresses = tuple(f"localhost:{it.getsockname()[1]}" for it in sockets)
  for it in sockets:
    it.close()
  return addresses


def listen(address):
  return socket.create_server(("localhost", int(address.rpartition(":")[2])))


def test_hosts_meet_whoever_comes_first():
  """Each goes on as TensorFlow does: it listens where it has listened."""
  addresses = free_addresses(3)
  met, all_met = [], threading.Event()

  def host(index):
    rendezvous.meet(Cluster(addresses, index), 30)
    with listen(addresses[index]):
      met.append(index)
      if len(met) == len(addresses):
        all_met.set()
      all_met.wait(30)

  threads = [threading.Thread(target=host, args=[i]) for i in range(3)]
  for thread in threads:
    thread.start()
    thread.join(0.3)  # one after the other
  for thread in threads:
    thread.join(30)
  assert sorted(met) == [0, 1, 2]


def test_who_is_missing_is_told_and_patience_ends(capsys):
  addresses = free_addresses(3)
  cluster = Cluster(addresses, 1)
  with (
    listen(addresses[2]),
    pytest.raises(rendezvous.HostsMissingError) as error,
  ):
    rendezvous.meet(cluster, 1.0, reminder_seconds=0.3)
  assert str(error.value) == (
    f"host 1 of 3 ({addresses[1]}): {addresses[0]} did not come within 1 s. Are"
    " they started, with the same cluster in TF_CONFIG, and do their addresses"
    " reach each other?"
  )
  said = capsys.readouterr().out
  assert re.search(
    rf"host 1 of 3 \S+: waiting for {addresses[0]} for 0 s", said
  )
  assert addresses[2] not in said


def test_a_port_that_is_taken_is_told():
  addresses = free_addresses(2)
  with listen(addresses[0]), pytest.raises(ValueError) as error:
    rendezvous.meet(Cluster(addresses, 0), 1.0)
  port = addresses[0].rpartition(":")[2]
  assert str(error.value) == (
    f"TF_CONFIG: expected a free port for host 0 of 2 ({addresses[0]}), such as"
    f" another one in its address; got {port}: Address already in use."
  )


@pytest.mark.parametrize(
  "address, parts",
  [
    ("10.0.0.1:9000", ("10.0.0.1", 9000)),
    ("[::1]:9000", ("::1", 9000)),
    ("host.example:1", ("host.example", 1)),
  ],
)
def test_an_address_has_a_host_and_a_port(address, parts):
  assert rendezvous._split(address) == parts
