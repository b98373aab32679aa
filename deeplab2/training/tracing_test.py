import ctypes
import gc
import weakref

import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from deeplab2.training.tracing import traced


@tf.custom_gradient
def _cube(x):
  return x**3, lambda dy: dy * 3.0 * x**2


class Steps:
  """A variable, a loop of steps that change it, and graphs that saw them."""

  def __init__(self):
    self.x = tf.Variable(1.1)
    self.graphs = []

  def function(self):
    @tf.function(autograph=False)
    def loop(count):
      tf.while_loop(lambda i: i < count, self._step, (0,))
      return self.x.read_value()

    return loop

  def _step(self, i):
    self._note_graph()
    with tf.GradientTape() as tape:
      y = _cube(self.x)
    slope = tape.gradient(y, self.x)
    tf.cond(
      slope > 0, lambda: self._move(-0.1 * slope), lambda: self._move(7.0)
    )
    return (i + 1,)

  def _move(self, distance):
    self._note_graph()
    return self.x.assign_add(distance)

  def _note_graph(self):
    self.graphs.append(weakref.ref(tf.compat.v1.get_default_graph()))

  def alive(self):
    return [graph() is not None for graph in self.graphs]


def test_a_traced_function_does_what_it_did():
  plain, other = Steps(), Steps()
  expected = plain.function()(tf.constant(3))
  loop = traced(other.function(), tf.constant(0))
  assert other.x.numpy() == tf.constant(1.1)
  assert loop(tf.constant(3)) == expected
  assert loop.experimental_get_tracing_count() == 1


def test_the_graphs_of_its_loop_are_gone():
  kept, gone = Steps(), Steps()
  function = kept.function()
  function(tf.constant(0))
  gc.collect()
  assert all(kept.alive())
  loop = traced(gone.function(), tf.constant(0))
  assert gone.alive() == 3 * [False]  # the loop's and its branches'
  assert loop(tf.constant(1)) == function(tf.constant(1))


def test_it_holds_no_second_copy_of_what_runs():
  def copies(function):
    concrete = function.get_concrete_function(tf.constant(0))
    return len(concrete.graph.as_graph_def().library.function)

  assert copies(Steps().function()) == 4  # a loop's two and a branch's two
  assert copies(traced(Steps().function(), tf.constant(0))) == 0


def test_the_custom_gradients_of_others_stay():
  def registered():
    return set(ops.gradient_registry.list())

  Steps().function()(tf.constant(0))
  before = registered()
  traced(Steps().function(), tf.constant(0))
  assert registered() == before
  Steps().function()(tf.constant(0))
  assert registered() > before


def test_an_error_inside_still_says_where():
  @tf.function(autograph=False)
  def loop(count):
    def step(i):
      tf.debugging.assert_less(i, 2, "two is too many", name="the_check")
      return (i + 1,)

    return tf.while_loop(lambda i: i < count, step, (0,))

  loop = traced(loop, tf.constant(0))
  loop(tf.constant(2))
  with pytest.raises(tf.errors.InvalidArgumentError) as caught:
    loop(tf.constant(3))
  assert "two is too many" in str(caught.value)
  assert "the_check" in str(caught.value)
  assert "tracing_test.py" in str(caught.value)


@pytest.mark.skipif(
  not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc"
)
def test_kernels_of_what_ran_before_it_make_room():
  variables = [tf.Variable(tf.zeros((2, 3 + i))) for i in range(300)]
  before = _blocks_in_use()
  traced(Steps().function(), tf.constant(0))
  assert before - _blocks_in_use() > 10e6
  assert len(variables) == 300


def _blocks_in_use():
  """Bytes that the C library has given out and not got back."""
  library = ctypes.CDLL(None)
  library.mallinfo2.restype = _Mallinfo2
  return library.mallinfo2().uordblks


class _Mallinfo2(ctypes.Structure):
  _fields_ = [
    (name, ctypes.c_size_t)
    for name in (
      "arena",
      "ordblks",
      "smblks",
      "hblks",
      "hblkhd",
      "usmblks",
      "fsmblks",
      "uordblks",
      "fordblks",
      "keepcost",
    )
  ]


class _Cycle:
  def __init__(self):
    self.me = self


def _a_cycle_goes():
  """Whether Python finds a cycle that nobody has while others are made."""
  cycle = weakref.ref(_Cycle())
  others = [_Cycle() for _ in range(10_000)]
  return bool(others) and cycle() is None


def _gone_while_traced():
  seen = []

  @tf.function(autograph=False)
  def look():
    seen.append(_a_cycle_goes())

  traced(look)
  return seen


def test_python_looks_for_no_garbage_while_it_traces():
  assert _a_cycle_goes()
  assert _gone_while_traced() == [False]
  assert gc.isenabled()


def test_who_does_without_collection_gets_none_after_it():
  steps = Steps()
  gc.disable()
  try:
    traced(steps.function(), tf.constant(0))
    assert not gc.isenabled()
    assert not any(steps.alive())
  finally:
    gc.enable()
