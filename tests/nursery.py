"""Processes that begin with all that is slow to import already there.

They are forked from one that has imported it and has not started TensorFlow,
which does not survive a fork. As a program, this file is that one.
"""

import contextlib
import importlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import traceback

from source_tree import ROOT

FORKS = hasattr(os, "fork") and sys.platform == "linux"


class Child:
  """A process of a nursery."""

  def __init__(self, nursery: "Nursery", pid: int, log: str):
    self.pid = pid
    self._nursery = nursery
    self._log = pathlib.Path(log)

  def kill(self, number: int, after: float = 0.0) -> None:
    """Sends a signal in so many seconds; no matter if it has ended."""
    time.sleep(after)
    os.kill(self.pid, number)

  def wait(self) -> tuple[int, str]:
    """The exit status as a shell would have it, and what was said."""
    status = self._nursery.ask("wait", self.pid)
    return status, self._log.read_text("utf-8")


class Nursery:
  """Starts functions of the tests' modules, each in a process."""

  def __init__(self):
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    self._process = subprocess.Popen(
      [sys.executable, __file__],
      env=os.environ | {"PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""},
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
    )

  def start(self, function: str, *arguments, log, **environment) -> Child:
    """Calls a function in a new process, whose exit status is what it returns.

    Args:
      function: "module:name".
      *arguments: of the function; JSON has to know them.
      log: path of a file for all that it says.
      **environment: variables.
    """
    log = str(log)
    pid = self.ask("start", function, arguments, log, environment)
    return Child(self, pid, log)

  def ask(self, *order):
    """An order to the process that forks, and its answer."""
    self._process.stdin.write(json.dumps(order) + "\n")
    self._process.stdin.flush()
    return json.loads(self._process.stdout.readline())

  def close(self) -> None:
    """Ends the process that forks."""
    self._process.stdin.close()
    self._process.wait(60)


def _serve() -> None:
  """Answers orders, a line each."""
  from deeplab2.training import fake_architecture, run  # noqa: F401

  for line in sys.stdin:
    order, *details = json.loads(line)
    answer = _wait(*details) if order == "wait" else _start(*details)
    print(json.dumps(answer), flush=True)


def _start(function, arguments, log, environment) -> int:
  child = os.fork()
  if child:
    return child
  status = 1
  try:
    # The shell that runs the tests may ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(log, "w") as file:
      os.dup2(file.fileno(), 1)
      os.dup2(file.fileno(), 2)
    os.environ.update(environment)
    module, name = function.split(":")
    status = getattr(importlib.import_module(module), name)(*arguments) or 0
  except KeyboardInterrupt:
    status = 128 + signal.SIGINT
  except BaseException:
    traceback.print_exc()
  finally:
    with contextlib.suppress(Exception):
      sys.stdout.flush()
    os._exit(status)


def _wait(child: int) -> int:
  code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
  return code if code >= 0 else 128 - code


if __name__ == "__main__":
  _serve()
