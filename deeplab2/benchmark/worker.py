"""One measurement in a process of its own, whose peak memory means something.

    python -m deeplab2.benchmark.worker JOB

JOB is `Job.to_json()`; the last line printed is the result as JSON. Seconds
"since start" count from the start of the process, imports included.
"""

import contextlib
import json
import os
import sys
import time

from deeplab2.benchmark import memory
from deeplab2.benchmark.jobs import MACHINE, MODEL, OPERATIONS, Job
from deeplab2.benchmark.timing import time_calls
from deeplab2.lean_keras import leave_out_extras


def measure(job: Job) -> dict:
  """The figures of a job; as they go into the JSON of a report.

  Raises:
    ValueError: the config does not allow it.
  """
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  if job.part == MACHINE:
    return _measure_machine(job)
  from deeplab2.config import load_experiment
  from deeplab2.models import build_meta_architecture

  experiment = load_experiment(
    job.config_file,
    job.experiment_overrides(),
    search_files=("train",) if job.part == "input" else False,
  )
  with _devices():
    architecture = build_meta_architecture(experiment)
    if job.part == MODEL:
      return _measure_model(architecture, job)
    if job.part == OPERATIONS:
      return _measure_operations(architecture, experiment, job)
    return _measure_calls(architecture, experiment, job)


def _devices():
  """The scope of TensorFlow's strategy; other backends find devices."""
  from deeplab2.backend import backend

  if backend() != "tensorflow":
    return contextlib.nullcontext()
  from deeplab2.training.strategies import build_strategy

  return build_strategy().scope()


def _measure_calls(architecture, experiment, job: Job) -> dict:
  from deeplab2.benchmark.subjects import build_subject

  subject = build_subject(architecture, experiment, job)
  memory.reset_peak()
  before = memory.resident_bytes()
  ends = []

  def call():
    subject.call()
    ends.append(seconds_since_start())

  timing = time_calls(call, job.repeats)
  low, high = timing.quartiles
  return {
    "seconds": list(timing.repeated),
    "median": timing.median,
    "quartiles": [low, high],
    "first_call": timing.first,
    "first_since_start": ends[0],
    "images_per_second": subject.images / timing.median,
    "peak_bytes": memory.peak_bytes(),
    "added_bytes": memory.peak_bytes() - before,
  }


def _measure_model(architecture, job: Job) -> dict:
  from deeplab2.benchmark.network_size import network_size

  return network_size(architecture.model, job.size)


def _measure_operations(architecture, experiment, job: Job) -> dict:
  from deeplab2.backend import require_tensorflow
  from deeplab2.benchmark.operations import seconds_by_kind
  from deeplab2.benchmark.subjects import prediction

  require_tensorflow("the part operations")
  subject = prediction(architecture, experiment, job)
  subject.call()  # traces and compiles
  return {"operations": seconds_by_kind(subject.call)}


def _measure_machine(job: Job) -> dict:
  from deeplab2.benchmark import machine

  dtype = job.precision.removeprefix("mixed_")
  return {
    "matmul_flops": machine.matmul_flops(dtype),
    "copied_bytes": machine.copied_bytes(),
  }


def seconds_since_start() -> float:
  """Since this process began, by the clock of the operating system."""
  try:
    with open("/proc/self/stat", encoding="ascii") as file:
      ticks = int(file.read().rpartition(")")[2].split()[19])
  except OSError:
    return time.perf_counter() - _IMPORTED
  booted = time.clock_gettime(time.CLOCK_BOOTTIME)
  return booted - ticks / os.sysconf("SC_CLK_TCK")


_IMPORTED = time.perf_counter()


def main(arguments: list[str]):
  """Measures the job and prints its figures, or what prevents it."""
  leave_out_extras()
  (text,) = arguments
  try:
    result = measure(Job.from_json(text))
  except ValueError as error:
    result = {"error": str(error)}
  print(json.dumps(result), flush=True)


if __name__ == "__main__":
  main(sys.argv[1:])
