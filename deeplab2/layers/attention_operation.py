"""Multi-head attention with normalized logits and normalized retrieval."""

from keras import ops

from deeplab2.layers.batch_norm import BatchNorm, NormOptions
from deeplab2.layers.composite import Composite


class AttentionOperation(Composite):
  """Attends from queries to keys and retrieves values.

  Logits are normalized per head instead of scaled by depth; what is retrieved
  is normalized per channel and rectified.
  """

  def __init__(self, norm: NormOptions, **kwargs):
    super().__init__(**kwargs)
    self.batch_norm_similarity = BatchNorm(norm, axes=(1,), dtype="float32")
    self.batch_norm_retrieved_value = BatchNorm(norm, axes=(1, 3))

  def call(self, query, key, value, training=False):
    """b l n k, b m n k and b m n d to b l (n d)."""
    logits = ops.einsum("blnk,bmnk->bnlm", query, key)
    logits = self.batch_norm_similarity(logits, training=training)
    weights = ops.cast(ops.softmax(logits), self.compute_dtype)
    retrieved = ops.einsum("bnlm,bmnd->bnld", weights, value)
    retrieved = self.batch_norm_retrieved_value(retrieved, training=training)
    y = ops.transpose(ops.relu(retrieved), (0, 2, 1, 3))
    _, length, heads, depth = ops.shape(y)
    return ops.reshape(y, (-1, length, heads * depth))
