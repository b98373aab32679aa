import numpy as np

from deeplab2.layers.attention_operation import AttentionOperation
from deeplab2.layers.batch_norm import NormOptions

B, L, M, N, K, D = 2, 5, 7, 3, 4, 11
NORM = NormOptions(epsilon=1e-9)


def _inputs(seed=0):
  rng = np.random.default_rng(seed)
  shapes = ((B, L, N, K), (B, M, N, K), (B, M, N, D))
  return [rng.normal(size=shape).astype("float32") for shape in shapes]


def test_a_new_operation_is_plain_attention_without_scaling():
  query, key, value = _inputs()
  y = np.array(AttentionOperation(N, N * D, NORM)(query, key, value))
  logits = np.einsum("blnk,bmnk->bnlm", query, key)
  weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  expected = np.einsum("bnlm,bmnd->blnd", weights, value)
  np.testing.assert_allclose(
    y, np.maximum(expected, 0).reshape(B, L, N * D), atol=1e-5
  )


def test_the_order_of_keys_does_not_matter():
  query, key, value = _inputs()
  layer = AttentionOperation(N, N * D, NORM)
  order = np.random.default_rng(1).permutation(M)
  np.testing.assert_allclose(
    layer(query, key, value),
    layer(query, key[:, order], value[:, order]),
    atol=1e-5,
  )


def test_without_a_batch_logits_are_normalized_by_their_averages():
  rng = np.random.default_rng(2)
  query, key, value = _inputs()
  layer = AttentionOperation(N, N * D, NORM)
  layer(query, key, value)
  norm = layer.batch_norm_similarity
  gamma, beta, mean, variance = (rng.uniform(0.5, 2, N) for _ in range(4))
  norm.gamma.assign(gamma)
  norm.beta.assign(beta)
  norm.moving_mean.assign(mean)
  norm.moving_variance.assign(variance)
  logits = np.einsum("blnk,bmnk->blmn", query, key)
  logits = (logits - mean) / np.sqrt(variance + 1e-9) * gamma + beta
  weights = np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
  expected = np.einsum("blmn,bmnd->blnd", weights, value)
  np.testing.assert_allclose(
    layer(query, key, value),
    np.maximum(expected, 0).reshape(B, L, N * D),
    atol=1e-5,
  )


def test_normalization_is_per_head_and_per_head_and_channel():
  layer = AttentionOperation(N, N * D, NORM)
  layer(*_inputs())
  assert layer.batch_norm_similarity.gamma.shape == (N,)
  assert layer.batch_norm_retrieved_value.gamma.shape == (1, N, 1, D)
