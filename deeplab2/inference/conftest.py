"""A model that can be reasoned about: a mask slot is one colour."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from deeplab2.config.config_pb2 import ExperimentOptions
from deeplab2.datasets import DatasetDescription
from deeplab2.inference.trained_model import TrainedModel
from deeplab2.models import MetaArchitecture
from deeplab2.postprocess.pixelwise import PixelwiseThresholds, merge_pixelwise
from deeplab2.structures import MaskPrediction

# Slot i of the model below paints this, and takes pixels that are like it.
SLOT_COLORS = np.float32([[220, 20, 20], [20, 200, 20], [20, 20, 240]])

FIELDS = DatasetDescription(
  name="fields",
  ignore_label=0,
  divisor=256,
  thing_ids=(1, 3),
  class_names=("void", "cow", "grass", "tree"),
  colors=((0, 0, 0), (200, 30, 30), (30, 200, 30), (20, 90, 20)),
  category_ids=(None, 17, 193, 184),
)


class ColorModel(keras.Model):
  """Slots 0, 1, 2 are a cow (class 1), grass (class 2) and a tree (class 3)."""

  def __init__(self):
    super().__init__(name="color_model")
    # Channels are things 1 and 3, stuff 2, void.
    class_logits = np.float32([[9, 0, 0, 0], [0, 0, 8, 0], [0, 7, 0, 0]])
    self.colors = self._constant("colors", SLOT_COLORS)
    self.class_logits = self._constant("class_logits", class_logits)
    self.semantic = self._constant("semantic", np.eye(3, 4, 1, np.float32))

  def _constant(self, name, value):
    return self.add_weight(
      name=name,
      shape=value.shape,
      initializer=lambda shape, dtype: ops.convert_to_tensor(value, dtype),
    )

  def call(self, image, training=False, auxiliary=True):
    features = ops.cast(image, "float32")[:, ::4, ::4]
    offset = features[:, :, :, None] - self.colors
    logits = -ops.mean(offset**2, axis=-1) / 100
    batch = ops.shape(image)[0]
    return MaskPrediction(
      mask_logits=logits,
      class_logits=ops.tile(self.class_logits[None], (batch, 1, 1)),
      pixel_features=features / 255,
      semantic_logits=ops.softmax(logits) @ self.semantic
      if auxiliary
      else None,
    )


@pytest.fixture(scope="module")
def dataset():
  return FIELDS


@pytest.fixture(scope="module")
def architecture():
  model = ColorModel()
  model(tf.zeros([1, 17, 17, 3]))
  thresholds = PixelwiseThresholds(thing_area=4, stuff_area=4)
  return MetaArchitecture(
    model=model,
    dataset=FIELDS,
    loss=lambda prediction, targets, seed=None: {},
    postprocess=functools.partial(
      merge_pixelwise, layout=FIELDS.layout, thresholds=thresholds
    ),
  )


@pytest.fixture(scope="module")
def trained(architecture):
  experiment = ExperimentOptions(experiment_name="fields")
  experiment.model_options.backbone.output_stride = 16
  experiment.eval_dataset_options.crop_size.extend([65, 97])
  return TrainedModel(architecture, experiment, checkpoint="none")


@pytest.fixture(scope="module")
def picture():
  """61 x 83: a cow and a tree on grass; edges lie on multiples of four."""
  image = np.full((61, 83, 3), SLOT_COLORS[1], np.uint8)
  image[8:29, 12:41] = SLOT_COLORS[0]
  image[20:49, 52:73] = SLOT_COLORS[2]
  return image
