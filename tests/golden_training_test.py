"""Losses and gradients of the whole MaX-DeepLab-S against the original's.

The original's matching is not always the best, so these runs repeat it.
`_evalgrad` recordings differentiate the network in inference mode, which is
well conditioned; those in training mode are only good to the noise floor that
the recordings' own README reports.
"""

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.interop.original_keys import original_key
from deeplab2.layers.variable_paths import variables_by_path
from tests import golden

CONFIG = "coco/max_deeplab/max_deeplab_s_os16_res641_100k"


@pytest.fixture(scope="module")
def architecture():
  golden.recording("max_s_65x65_evalgrad_b2")
  return golden.build(CONFIG, (65, 65))


def step(architecture, arrays, training):
  """Losses an image, and the gradient of each trainable variable by key."""
  model = architecture.model
  by_key = {
    original_key(path): variable
    for path, variable in variables_by_path(model).items()
    if variable.trainable
  }

  @tf.function
  def losses_and_gradients(image, targets):
    with tf.GradientTape() as tape:
      losses = architecture.loss(model(image, training=training), targets)
      total = tf.reduce_mean(losses["total_loss"])
    values = [variable.value for variable in by_key.values()]
    return losses, tape.gradient(total, values)

  losses, gradients = losses_and_gradients(
    arrays["image"], golden.targets(arrays)
  )
  dense = [tf.convert_to_tensor(g).numpy() for g in gradients]
  return losses, dict(zip(by_key, dense, strict=True))


def test_inference_mode_losses_and_gradients_agree(architecture):
  arrays = golden.recording("max_s_65x65_evalgrad_b2")
  losses, gradients = step(architecture, arrays, training=False)
  for name, value in losses.items():
    np.testing.assert_allclose(value, arrays[f"loss/{name}"], rtol=1e-5)
  for key in (k for k in arrays.files if k.startswith("grad/")):
    actual, expected = gradients[key.removeprefix("grad/")], arrays[key]
    # Shifts in front of a softmax have gradient zero; the rest is rounding.
    if np.abs(expected).max() > 1e-6:
      assert golden.relative_error(actual, expected) < 1e-4, key
  expected = dict(zip(arrays["grad_keys"], arrays["grad_norms"], strict=True))
  assert set(gradients) == set(expected)
  largest = max(expected.values())
  for key, norm in expected.items():
    if norm > 1e-5 * largest:
      np.testing.assert_allclose(
        np.linalg.norm(gradients[key].astype(np.float64)),
        norm,
        rtol=1e-4,
        err_msg=key,
      )


def test_training_mode_losses_and_statistics_agree(architecture):
  golden.assign_weights(architecture.model)
  arrays = golden.recording("max_s_65x65_train_b2")
  losses, _ = step(architecture, arrays, training=True)
  for name, value in losses.items():
    np.testing.assert_allclose(value, arrays[f"loss/{name}"], rtol=5e-4)
  after = {
    original_key(path): variable.numpy()
    for path, variable in variables_by_path(architecture.model).items()
    if path.endswith("moving_mean")
  }
  recorded = [k for k in arrays.files if k.startswith("after/")]
  assert recorded
  for key in recorded:
    name = key.removeprefix("after/")
    assert golden.relative_error(after[name], arrays[key]) < 5e-4, name
