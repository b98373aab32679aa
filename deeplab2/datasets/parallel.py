"""A function over many items in several processes, one error stopping all."""

import concurrent.futures
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def usable_cores() -> int:
  """Cores this process may run on, which a container may limit."""
  if hasattr(os, "sched_getaffinity"):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def map_in_processes(
  function: Callable[[Item], Result],
  items: Iterable[Item],
  num_processes: int = 1,
  chunk: int = 1,
) -> Iterator[Result]:
  """Results in the order of the items, as they come.

  Args:
    function: found by import, with arguments that pickle: processes are
      spawned, since forking a process that has loaded TensorFlow may hang.
    items: what to apply it to.
    num_processes: 1 stays in this process.
    chunk: items a worker takes at once.

  Raises:
    Whatever `function` raises first; what was not begun by then is dropped.
    ChildProcessError: a worker was killed.
  """
  if num_processes == 1:
    yield from map(function, items)
    return
  context = multiprocessing.get_context("spawn")
  ours, theirs = context.Pipe()
  pool = concurrent.futures.ProcessPoolExecutor(
    num_processes,
    mp_context=context,
    initializer=_end_with,
    initargs=(theirs,),
  )
  try:
    with _left_to_parent(signal.SIGINT):
      results = pool.map(function, items, chunksize=chunk)
    yield from results
  except BrokenProcessPool as error:
    raise ChildProcessError(
      f"one of {num_processes} processes was killed, perhaps for want of "
      "memory; fewer processes need less."
    ) from error
  except BaseException as error:
    if not isinstance(error, Exception):  # such as Ctrl-C: at once
      ours.close()  # which ends the workers, whatever they are at
    raise
  finally:
    pool.shutdown(cancel_futures=True)
    ours.close()
    theirs.close()


@contextlib.contextmanager
def _left_to_parent(number: int) -> Iterator[None]:
  """Processes started within never get a signal, which Ctrl-C sends to all.

  They inherit what this thread does not let through; it gets it afterwards.
  """
  before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
  try:
    yield
  finally:
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with(connection):
  """Ends this process when the parent hangs up, or is killed.

  A worker would otherwise wait for work forever, or finish a file that a new
  run is writing.
  """
  parent = multiprocessing.parent_process()

  def watch():
    multiprocessing.connection.wait([parent.sentinel, connection])
    os._exit(1)

  threading.Thread(target=watch, daemon=True).start()
