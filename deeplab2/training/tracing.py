"""Tracing a large function without keeping what only tracing needs.

TensorFlow runs copies of its own of what was traced. Yet it keeps the graph in
Python, for the gradient of a loop that may be asked for, and a kernel for each
operation that ran outside of graphs, such as the initial value of a variable.
For the training step of MaX-DeepLab-S that is 0.3 GiB.
"""

import contextlib
import gc

from tensorflow.python.eager import context
from tensorflow.python.framework import ops


def traced(function, *arguments):
  """Traces a `tf.function` of loops and branches, to be called but not derived.

  Args:
    function: a `tf.function`, not traced before.
    arguments: to trace it with.

  Returns:
    The function. No gradient can be taken through what is inside of it.
  """
  context.context().clear_kernel_cache()
  with _uncollected(), _gradients_forgotten():
    _forget_graphs(function.get_concrete_function(*arguments))
  gc.collect()
  return function


@contextlib.contextmanager
def _uncollected():
  """Within, Python does not look for garbage.

  Tracing makes millions of objects, hardly one of which goes, and at every so
  many of them Python would look at all again.
  """
  enabled = gc.isenabled()
  gc.disable()
  try:
    yield
  finally:
    if enabled:
      gc.enable()


@contextlib.contextmanager
def _gradients_forgotten():
  """Forgets the custom gradients that are defined within.

  In a graph each is registered for good, with the tensors that it is of.
  """
  registered = ops.gradient_registry._registry
  before = set(registered)
  try:
    yield
  finally:
    for name in registered.keys() - before:
      del registered[name]


def _forget_graphs(concrete) -> None:
  """Lets go of the graphs of loops and branches, not of the outermost."""
  for function in concrete.inference_fn.children:  # theirs are among them
    function._cached_graph = None  # would be made again if it were asked for
  for name in list(concrete.graph._functions):
    concrete.graph._remove_function(name)
  for operation in concrete.graph.get_operations():
    for name in ("_body_graph", "_cond_graph", "_true_graph", "_false_graph"):
      if hasattr(operation, name):
        delattr(operation, name)
