"""The hosts that train together, as the variable TF_CONFIG lists them.

  TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:9000", "10.0.0.2:9000"]},
              "task": {"type": "worker", "index": 0}}'

Every host has the same "cluster" and a "task" of its own. The first host, the
"chief" or worker 0 where there is none, writes the files of the run.
"""

import dataclasses
import json
import re

_JOBS = ("chief", "worker")
_EXAMPLE = (
  '{"cluster": {"worker": ["10.0.0.1:9000", "10.0.0.2:9000"]}, "task":'
  ' {"type": "worker", "index": 0}}'
)
_ADDRESS = re.compile(r"[^\s:/]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")


@dataclasses.dataclass(frozen=True)
class Cluster:
  """Hosts in the order of their parts of a batch.

  Attributes:
    addresses: host:port of each.
    index: which of them this process is.
  """

  addresses: tuple[str, ...]
  index: int

  @property
  def size(self) -> int:
    return len(self.addresses)

  @property
  def is_chief(self) -> bool:
    """Whether this host writes the files of the run."""
    return self.index == 0

  @property
  def title(self) -> str:
    """For people: host 0 of 2 (10.0.0.1:9000)."""
    return f"host {self.index} of {self.size} ({self.addresses[self.index]})"


def read_cluster(text: str | None) -> Cluster | None:
  """What TF_CONFIG says; None where it says nothing, or of one host only.

  Raises:
    ValueError: it is not what TensorFlow can use.
  """
  if not text or not text.strip():
    return None
  try:
    config = json.loads(text)
  except ValueError as error:
    raise _problem(
      "", f"JSON, such as {_EXAMPLE}", f"{text}: {error}"
    ) from None
  if not isinstance(config, dict) or not config.get("cluster"):
    raise _problem("", f"a cluster, such as {_EXAMPLE}", text)
  jobs = _jobs(config["cluster"])
  addresses = [a for job in _JOBS for a in jobs.get(job, ())]
  twice = sorted({a for a in addresses if addresses.count(a) > 1})
  if twice:
    raise _problem(".cluster", "each address once", f"{', '.join(twice)} twice")
  index = _index(config.get("task"), jobs)
  return Cluster(tuple(addresses), index) if len(addresses) > 1 else None


def _jobs(cluster) -> dict[str, list[str]]:
  if not isinstance(cluster, dict) or not set(cluster) <= set(_JOBS):
    raise _problem(
      ".cluster",
      "the jobs worker and, if need be, chief (a host that evaluates alone is"
      " started without TF_CONFIG, with --mode=continuous_eval)",
      json.dumps(cluster),
    )
  for job, addresses in cluster.items():
    if not isinstance(addresses, list) or not all(
      isinstance(a, str) and _ADDRESS.fullmatch(a) for a in addresses
    ):
      raise _problem(
        f".cluster.{job}",
        'a list of host:port, such as ["10.0.0.1:9000"]',
        json.dumps(addresses),
      )
  if len(cluster.get("chief", ())) > 1:
    raise _problem(
      ".cluster.chief", "one address", json.dumps(cluster["chief"])
    )
  return cluster


def _index(task, jobs) -> int:
  """Number of the task among all hosts, the chief first."""
  task = task if isinstance(task, dict) else {}
  job, number = task.get("type"), task.get("index")
  if job not in jobs:
    raise _problem(
      ".task.type", f"one of {', '.join(sorted(jobs))}", json.dumps(job)
    )
  count = len(jobs[job])
  if not isinstance(number, int) or not 0 <= number < count:
    raise _problem(
      ".task.index",
      f"a number from 0 to {count - 1}, of the {count} {job} hosts",
      json.dumps(number),
    )
  return number + (len(jobs.get("chief", ())) if job == "worker" else 0)


def _problem(path: str, rule: str, value: str) -> ValueError:
  return ValueError(f"TF_CONFIG{path}: expected {rule}; got {value}.")
