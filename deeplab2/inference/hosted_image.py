"""`WholeImage` for a model on another backend than TensorFlow.

TensorFlow resizes the image before and the maps after, on the host, so that all
backends see the same pixels; what lies between is the backend's.
"""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from deeplab2.backend import compiled
from deeplab2.inference.preprocessing import InputFit
from deeplab2.inference.whole_image import WholeImage, maps_at_image_size
from deeplab2.models import MetaArchitecture
from deeplab2.structures import PanopticPrediction


class HostedImage:
  """Preprocessing, model and post-processing as one function of an image."""

  def __init__(
    self, architecture: MetaArchitecture, fit: InputFit, semantic=True
  ):
    """Wraps a built model; see `WholeImage`."""
    self._fit = fit
    self._predict = compiled(
      _maps_function(architecture, semantic), architecture.model
    )

  def __call__(self, input_tensor: np.ndarray) -> Mapping[str, tf.Tensor]:
    """Maps of one image, h w 3 uint8 -> name -> 1 h w (a batch of one)."""
    fitted = self._fit.apply(input_tensor[None])
    maps = self._predict(fitted.images.numpy())
    return maps_at_image_size(PanopticPrediction(*map(_on_host, maps)), fitted)


def image_function(
  architecture: MetaArchitecture, fit: InputFit
) -> WholeImage | HostedImage:
  """What predicts an image on the backend that computes, no semantic map."""
  if keras.backend.backend() == "tensorflow":
    return WholeImage(architecture, fit, semantic=False, settled=True)
  return HostedImage(architecture, fit, semantic=False)


def _on_host(values):
  return (
    None if values is None else tf.constant(keras.ops.convert_to_numpy(values))
  )


def _maps_function(architecture, semantic):
  def maps(images) -> PanopticPrediction:
    prediction = architecture.model(images, training=False, auxiliary=False)
    size = tuple(keras.ops.shape(images)[1:3])
    return architecture.postprocess(prediction, size, semantic=semantic)

  return maps
