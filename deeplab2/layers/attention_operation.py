"""Multi-head attention with normalized logits and normalized retrieval."""

from keras import ops

from deeplab2.layers.batch_norm import BatchNorm, NormOptions
from deeplab2.layers.composite import Composite
from deeplab2.layers.settled import settled


class AttentionOperation(Composite):
  """Attends from queries to keys and retrieves values.

  Logits are normalized per head instead of scaled by depth; what is retrieved
  is normalized per channel and rectified.
  """

  def __init__(self, heads: int, depth: int, norm: NormOptions, **kwargs):
    """`depth` is that of the values, all `heads` together."""
    super().__init__(**kwargs)
    self.batch_norm_similarity = BatchNorm(norm, axes=(1,), dtype="float32")
    self.batch_norm_retrieved_value = BatchNorm(
      norm, parameter_shape=(1, heads, 1, depth // heads)
    )
    self.heads = heads
    self.depth = depth

  def build(self, *shapes):
    """Of the factors that a call without a batch reads; see `_logits`."""
    del shapes
    self.batch_norm_similarity.build((None, self.heads, None, None))

  def call(self, query, key, value, training=False):
    """b l n k, b m n k and b m n d to b l (n d)."""
    logits = self._logits(query, key, training)
    weights = ops.cast(ops.softmax(logits), self.compute_dtype)
    retrieved = ops.einsum("bnlm,bmnd->blnd", weights, value)
    retrieved = ops.reshape(retrieved, (-1, ops.shape(query)[1], self.depth))
    y = self.batch_norm_retrieved_value(retrieved, training=training)
    return ops.relu(y)

  def _logits(self, query, key, training):
    """How well keys answer queries, b n l m, up to what is alike for all keys.

    Of a normalization by moving averages the factor goes into the queries, and
    the shift is left out: a softmax does not see it.
    """
    norm = self.batch_norm_similarity
    if norm.uses_batch(training):
      return norm(_products(query, key), training=training)
    factor = settled(lambda: norm.scale_and_shift()[0])
    query = query * ops.cast(factor[:, None], query.dtype)
    return ops.cast(_products(query, key), "float32")


def _products(query, key):
  """b l n k and b m n k to b n l m."""
  return ops.einsum("blnk,bmnk->bnlm", query, key)
