"""Programs run to their end, with their time and memory taken from outside."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import NamedTuple

from deeplab2.benchmark.jobs import Job

_TAIL = 2000  # characters of a message that are shown


class Run(NamedTuple):
  """What became of a program.

  The system counts the caller's memory at the start as the program's, so a
  program that takes less than its caller is not told apart from it.
  """

  status: int  # 0: it did its work
  output: str
  errors: str
  seconds: float  # from start to end
  peak_bytes: int  # most memory of it, or of a process that it waited for

  def result(self) -> dict:
    """The JSON object on the last line of the output; {} without one.

    A program that failed gives {"error": what it said}.
    """
    if self.status:
      said = (self.errors or self.output).strip()[-_TAIL:]
      return {"error": f"ended with status {self.status}: {said}"}
    lines = self.output.strip().splitlines()
    try:
      found = json.loads(lines[-1]) if lines else {}
    except ValueError:
      return {}
    return found if isinstance(found, dict) else {}


def run_job(job: Job, timeout: float) -> Run:
  """Measures in a fresh Python; see `worker`."""
  worker = [sys.executable, "-m", "deeplab2.benchmark.worker", job.to_json()]
  return run_program(worker, timeout)


def run_program(
  command: list[str], timeout: float, environment: dict | None = None
) -> Run:
  """Runs a command, and ends it when its time is over.

  Args:
    command: a program and its arguments.
    timeout: seconds it may take.
    environment: its variables; None for ours.

  Raises:
    ValueError: there is no such program.
  """
  with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
    begun = time.perf_counter()
    try:
      process = subprocess.Popen(
        command,
        stdout=output,
        stderr=errors,
        env=environment,
        start_new_session=True,
      )
    except OSError as error:
      raise ValueError(
        f"command: expected a program; got {command[0]!r}: {error.strerror}."
      ) from error
    timer = threading.Timer(timeout, _kill, [process.pid])
    timer.start()
    try:
      _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
      _kill(process.pid)
      raise
    finally:
      timer.cancel()
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(
      process.returncode,
      _text(output),
      _text(errors),
      seconds,
      usage.ru_maxrss * unit,
    )


def _kill(pid: int):
  """Ends a process with those that it started."""
  os.killpg(pid, signal.SIGKILL)


def _text(file) -> str:
  file.seek(0)
  return file.read().decode(errors="replace")
