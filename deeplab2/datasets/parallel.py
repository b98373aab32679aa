"""A function over many items in several processes, one error stopping all."""

import concurrent.futures
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
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
  """
  if num_processes == 1:
    yield from map(function, items)
    return
  pool = concurrent.futures.ProcessPoolExecutor(
    num_processes,
    mp_context=multiprocessing.get_context("spawn"),
    initializer=_follow_parent,
  )
  try:
    yield from pool.map(function, items, chunksize=chunk)
  finally:
    pool.shutdown(cancel_futures=True)


def _follow_parent():
  """Leaves Ctrl-C to the parent, and ends this process where that is killed.

  A worker would otherwise wait for work forever, or finish a file that a new
  run is writing.
  """
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  parent = multiprocessing.parent_process()

  def watch():
    parent.join()
    os._exit(1)

  threading.Thread(target=watch, daemon=True).start()
