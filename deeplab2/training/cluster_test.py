import json

import pytest

from deeplab2.training.cluster import Cluster, read_cluster

TWO = ["10.0.0.1:9000", "10.0.0.2:9000"]


def config(cluster, kind="worker", index=0):
  task = {"type": kind, "index": index}
  return json.dumps({"cluster": cluster, "task": task})


@pytest.mark.parametrize("text", [None, "", " ", config({"worker": TWO[:1]})])
def test_one_host_is_no_cluster(text):
  assert read_cluster(text) is None


def test_the_first_worker_is_the_chief():
  chief, other = (
    read_cluster(config({"worker": TWO}, index=i)) for i in (0, 1)
  )
  assert chief == Cluster(tuple(TWO), 0) and chief.is_chief
  assert other == Cluster(tuple(TWO), 1) and not other.is_chief
  assert other.title == "host 1 of 2 (10.0.0.2:9000)"


def test_a_chief_comes_before_the_workers():
  jobs = {"worker": ["c:3", "[::1]:4"], "chief": ["a:1"]}
  assert read_cluster(config(jobs, "chief")) == Cluster(
    ("a:1", "c:3", "[::1]:4"), 0
  )
  assert read_cluster(config(jobs, "worker", 1)).index == 2


@pytest.mark.parametrize(
  "text, message",
  [
    (
      "worker=2",
      'TF_CONFIG: expected JSON, such as {"cluster": {"worker":'
      ' ["10.0.0.1:9000", "10.0.0.2:9000"]}, "task": {"type": "worker",'
      ' "index": 0}}; got worker=2: Expecting value: line 1 column 1 (char 0).',
    ),
    (
      "{}",
      'TF_CONFIG: expected a cluster, such as {"cluster": {"worker":'
      ' ["10.0.0.1:9000", "10.0.0.2:9000"]}, "task": {"type": "worker",'
      ' "index": 0}}; got {}.',
    ),
    (
      config({"worker": TWO, "ps": ["c:3"]}),
      "TF_CONFIG.cluster: expected the jobs worker and, if need be, chief (a"
      " host that evaluates alone is started without TF_CONFIG, with"
      ' --mode=continuous_eval); got {"worker": ["10.0.0.1:9000",'
      ' "10.0.0.2:9000"], "ps": ["c:3"]}.',
    ),
    (
      config({"worker": "a:1,b:2"}),
      "TF_CONFIG.cluster.worker: expected a list of host:port, such as"
      ' ["10.0.0.1:9000"]; got "a:1,b:2".',
    ),
    (
      config({"worker": ["a", "b:2"]}),
      "TF_CONFIG.cluster.worker: expected a list of host:port, such as"
      ' ["10.0.0.1:9000"]; got ["a", "b:2"].',
    ),
    (
      config({"worker": ["a:1", "a:1"]}),
      "TF_CONFIG.cluster: expected each address once; got a:1 twice.",
    ),
    (
      config({"chief": TWO}, "chief"),
      "TF_CONFIG.cluster.chief: expected one address; got"
      ' ["10.0.0.1:9000", "10.0.0.2:9000"].',
    ),
    (
      config({"worker": TWO}, "chief"),
      'TF_CONFIG.task.type: expected one of worker; got "chief".',
    ),
    (
      config({"worker": TWO}, index=2),
      "TF_CONFIG.task.index: expected a number from 0 to 1, of the 2 worker"
      " hosts; got 2.",
    ),
    (
      json.dumps({"cluster": {"worker": TWO}}),
      "TF_CONFIG.task.type: expected one of worker; got null.",
    ),
  ],
)
def test_what_tensorflow_cannot_use_is_refused(text, message):
  with pytest.raises(ValueError) as error:
    read_cluster(text)
  assert str(error.value) == message
