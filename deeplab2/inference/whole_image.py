"""An image of any size through a model, and the maps back to its own size.

The predictor calls this module and the export saves it, so that what is served
is what was tried.

Letters: b batch, h w height and width of the image, H W of what the model sees.
"""

import contextlib
from collections.abc import Mapping

import tensorflow as tf

from deeplab2.inference.preprocessing import Fitted, InputFit
from deeplab2.layers.settled import settled_variables
from deeplab2.models import MetaArchitecture
from deeplab2.structures import MaskPrediction, PanopticPrediction

_IMAGE = tf.TensorSpec([None, None, 3], tf.uint8, "input_tensor")
_IMAGES = tf.TensorSpec([None, None, None, 3], tf.uint8, "input_tensor")


class WholeImage(tf.Module):
  """Preprocessing, model and post-processing as one function of an image.

  It tracks the model's variables and not the model, so that a saved one holds
  nothing of Keras.

  Attributes:
    model_variables: of the model.
    compute: `batch` as a plain function, which runs eagerly.
  """

  def __init__(
    self,
    architecture: MetaArchitecture,
    fit: InputFit,
    raw_outputs=False,
    semantic=True,
    settled=False,
  ):
    """Wraps a built model.

    Args:
      architecture: with variables that have their final values.
      fit: how an image is brought to a size that the model takes.
      raw_outputs: also return the logits and features of the model, and the
        class probabilities of the auxiliary branch at the image's size (which
        take h * w * classes floats).
      semantic: also return the class of every pixel, however doubtful.
      settled: compute what depends on variables alone once, see `settled`; it
        cannot be saved then.
    """
    super().__init__(name="whole_image")
    self.model_variables = [v.value for v in architecture.model.variables]
    self.compute = _output_function(architecture, fit, raw_outputs, semantic)
    self._variables = settled_variables if settled else contextlib.nullcontext

  @tf.function(input_signature=[_IMAGE])
  def __call__(self, input_tensor):
    """Maps of one image, h w 3 uint8 -> name -> 1 h w (a batch of one)."""
    return self.batch(input_tensor[None])

  @tf.function(input_signature=[_IMAGES])
  def batch(self, input_tensor):
    """Maps of images of one size, b h w 3 uint8 -> name -> b h w."""
    with self._variables():
      return self.compute(input_tensor)


def _output_function(architecture, fit, raw_outputs, semantic):
  """A plain function, because tf.Module would track what it can name."""

  def outputs(images) -> dict[str, tf.Tensor]:
    fitted = fit.apply(images)
    prediction = architecture.model(
      fitted.images, training=False, auxiliary=raw_outputs
    )
    maps = architecture.postprocess(
      prediction, fitted.padded_size, semantic=semantic
    )
    found = maps_at_image_size(maps, fitted)
    return found | (_raw(prediction, fitted) if raw_outputs else {})

  return outputs


def maps_at_image_size(
  maps: PanopticPrediction, fitted: Fitted
) -> Mapping[str, tf.Tensor]:
  """The maps that there are, under the names that users of DeepLab2 know."""
  named = {
    "panoptic_pred": maps.panoptic,
    "semantic_pred": maps.semantic,
    "instance_pred": maps.instance,
    "instance_scores": maps.instance_score,
    "semantic_scores": maps.semantic_score,
  }
  return {
    name: fitted.undo(values)
    for name, values in named.items()
    if values is not None
  }


def _raw(prediction: MaskPrediction, fitted: Fitted) -> dict[str, tf.Tensor]:
  """Tensors of the model, padding included, at the stride of its masks."""
  raw = {
    "pixel_space_mask_logits": prediction.mask_logits,
    "transformer_class_logits": prediction.class_logits,
    "pixel_space_normalized_feature": prediction.pixel_features,
  }
  if prediction.semantic_logits is None:
    return raw
  probability = tf.nn.softmax(prediction.semantic_logits)
  return raw | {
    "semantic_logits": prediction.semantic_logits,
    "semantic_probs": fitted.undo_bilinear(probability),
  }
