"""One slot for each ground-truth mask, so that their similarity is greatest.

Letters: b batch, k ground-truth masks, n slots.

Two solvers are exact, for rectangles of any shape. When an image has more masks
than there are slots, every slot gets a mask and the masks left over get the
slot -1. Equal optima may be matched differently by the two. The third solver
makes the original library's choices, its rounding included.
"""

import keras
import numpy as np
from keras import ops
from scipy import optimize

from deeplab2.losses import augmenting_paths, original_matching


def match(similarity, present, solver="host"):
  """Assigns slots to masks, at most one to each, at greatest similarity.

  Args:
    similarity: b k n  float, at least zero. Entries that are not finite count
      as zero: the losses that they come from report them, and a solver that
      stops or spins on them would only hide where they were born.
    present: b k  bool; the other masks take no part.
    solver: a key of SOLVERS. "host" is SciPy's on the CPU, the fastest by far
      but out of reach of XLA; "compiled" is made of tensor operations with
      static shapes, for TPUs and fully compiled training steps; "original"
      reproduces published training runs and recordings, on the CPU, and wants
      the absent masks in their places.

  Returns:
    b k  int32 slot of each mask; -1 where absent or left over. No gradient
    flows through it.

  Raises:
    ValueError: there is no such solver.
  """
  check_solver(solver)
  similarity = ops.stop_gradient(ops.cast(similarity, "float32"))
  similarity = ops.where(ops.isfinite(similarity), similarity, 0.0)
  return SOLVERS[solver](similarity, present)


def check_solver(solver):
  """Raises ValueError, with the choices, unless `solver` is one of SOLVERS."""
  if solver not in SOLVERS:
    raise ValueError(
      f"solver: expected one of {sorted(SOLVERS)}; got {solver!r}."
    )


def match_on_host(similarity, present):
  """`match` by scipy.optimize.linear_sum_assignment."""
  return _call_numpy(_best_slots, similarity, present)


def match_as_original(similarity, present):
  """`match` with the rounding of the original library."""
  return _call_numpy(original_matching.slots_of_masks, similarity, present)


def match_compiled(similarity, present):
  """`match` by shortest augmenting paths in tensor operations."""
  return augmenting_paths.assign(-similarity, present)


SOLVERS = {
  "host": match_on_host,
  "compiled": match_compiled,
  "original": match_as_original,
}


def _call_numpy(function, similarity, present):
  """Runs a numpy function `b k n, b k -> b k int32` on the host."""
  if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    slot = tf.numpy_function(
      function, (similarity, present), tf.int32, stateful=False
    )
    return tf.ensure_shape(slot, present.shape)
  if keras.backend.backend() == "jax":
    import jax

    return jax.pure_callback(
      lambda *arrays: function(*map(np.asarray, arrays)),
      jax.ShapeDtypeStruct(present.shape, "int32"),
      similarity,
      present,
    )
  arrays = map(ops.convert_to_numpy, (similarity, present))
  return ops.convert_to_tensor(function(*arrays))


def _best_slots(similarity, present):
  slot = np.full(present.shape, -1, np.int32)
  for image, rows in enumerate(map(np.flatnonzero, present)):
    chosen, slots = optimize.linear_sum_assignment(
      similarity[image, rows], maximize=True
    )
    slot[image, rows[chosen]] = slots
  return slot
