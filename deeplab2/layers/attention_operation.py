"""Multi-head attention with normalized logits and normalized retrieval."""

from keras import ops

from deeplab2.layers.batch_norm import BatchNorm, NormOptions
from deeplab2.layers.composite import Composite


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
    self.depth = depth

  def call(self, query, key, value, training=False):
    """b l n k, b m n k and b m n d to b l (n d)."""
    logits = ops.einsum("blnk,bmnk->bnlm", query, key)
    logits = self.batch_norm_similarity(logits, training=training)
    weights = ops.cast(ops.softmax(logits), self.compute_dtype)
    retrieved = ops.einsum("bnlm,bmnd->blnd", weights, value)
    retrieved = ops.reshape(retrieved, (-1, ops.shape(query)[1], self.depth))
    y = self.batch_norm_retrieved_value(retrieved, training=training)
    return ops.relu(y)
