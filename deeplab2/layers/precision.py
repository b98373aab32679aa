"""Which number formats a network computes in."""

import contextlib

import keras

PRECISIONS = ("float32", "mixed_bfloat16")


@contextlib.contextmanager
def precision_of_layers(precision: str):
  """Within, new layers compute in `precision`; variables stay float32.

  Under "mixed_bfloat16", layers that must not round (normalizations, softmax,
  logits) still compute in float32 by their own choice.
  """
  if precision not in PRECISIONS:
    raise ValueError(
      f"precision: expected one of {list(PRECISIONS)}; got {precision!r}."
    )
  before = keras.config.dtype_policy()
  keras.config.set_dtype_policy(precision)
  try:
    yield
  finally:
    keras.config.set_dtype_policy(before)
