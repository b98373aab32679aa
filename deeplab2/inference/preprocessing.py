"""Images of any size to a size that a model takes, and its maps back.

What happens is what the evaluation pipeline does: the image is resized into a
range, and then padded at the bottom and on the right.

Letters: b batch, h w height and width of the image, H W of what the model sees.
"""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from deeplab2.input.transforms.crop_and_pad import IMAGE_FILL
from deeplab2.input.transforms.resize import size_in_range

Size = tuple[int, int]


class Fitted(NamedTuple):
  """Images as a model takes them, and what it takes to undo it."""

  images: tf.Tensor  # b H W 3  float32, 0..255
  image_size: tf.Tensor  # 2  int32; h and w
  valid_size: tf.Tensor  # 2  int32; what of H and W is not padding

  @property
  def padded_size(self):
    """H and W: Python integers where the shape says so, else scalars."""
    dynamic = tf.unstack(tf.shape(self.images)[1:3])
    static = self.images.shape[1:3]
    return tuple(
      d if s is None else s for s, d in zip(static, dynamic, strict=True)
    )

  def undo(self, maps: tf.Tensor) -> tf.Tensor:
    """Maps b H W to b h w, each pixel the value of the nearest one.

    Scores too: between two segments no blend of their scores means anything.
    """
    valid = maps[:, : self.valid_size[0], : self.valid_size[1], None]
    resized = tf.raw_ops.ResizeNearestNeighbor(
      images=valid, size=self.image_size, align_corners=True
    )
    return resized[..., 0]

  def undo_bilinear(self, features: tf.Tensor) -> tf.Tensor:
    """Features at any stride of the padded image, b - - d, to b h w d."""
    padded = tf.raw_ops.ResizeBilinear(
      images=features, size=self.padded_size, align_corners=True
    )
    valid = padded[:, : self.valid_size[0], : self.valid_size[1]]
    return tf.raw_ops.ResizeBilinear(
      images=valid, size=self.image_size, align_corners=True
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputFit:
  """How images are brought to a size that a model takes.

  Attributes:
    crop_size: H and W; images are shrunk and padded to it. None: an image
      keeps its size and is padded to the next multiple of the stride plus one.
    min_size: height and width that both sides reach where `max_size` lets
      them; None for no bound.
    max_size: largest height and width; None for the crop size.
    factor: resized sides are multiples of it plus one; 0 for any.
    stride: of the model's features, such as 16.
  """

  crop_size: Size | None = None
  min_size: Size | None = None
  max_size: Size | None = None
  factor: int = 0
  stride: int = 16

  @classmethod
  def from_experiment(cls, experiment, full_size=False) -> "InputFit":
    """As the evaluation pipeline does, or else at the image's own size.

    Args:
      experiment: its `eval_dataset_options` apply.
      full_size: ignore them, and resize nothing. It takes memory and time in
        proportion to the image, and objects look larger than in training.
    """
    stride = experiment.model_options.backbone.output_stride
    if full_size:
      return cls(stride=stride)
    options = experiment.eval_dataset_options
    return cls(
      crop_size=_pair("crop_size", options.crop_size),
      min_size=_pair("min_resize_value", options.min_resize_value),
      max_size=_pair("max_resize_value", options.max_resize_value),
      factor=options.resize_factor,
      stride=stride,
    )

  def apply(self, images: tf.Tensor) -> Fitted:
    """Images of one size, b h w 3 uint8, as the model takes them."""
    image_size = tf.shape(images)[1:3]
    valid_size = self.resized_size(image_size)
    resized = tf.raw_ops.ResizeBilinear(
      images=images, size=valid_size, align_corners=True
    )
    padded = self._pad(resized, valid_size)
    return Fitted(padded, image_size, valid_size)

  def resized_size(self, size: tf.Tensor) -> tf.Tensor:
    """The size to resize an image of that size to; each is h and w, 2 int32."""
    max_size = self.max_size or self.crop_size
    return size_in_range(size, self.min_size, max_size, self.factor)

  def _pad(self, images: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Images of that size, b - - 3, padded at the bottom and on the right."""
    steps = tf.maximum(-(-(size - 1) // self.stride), 1)  # rounded up
    missing = (self.crop_size or steps * self.stride + 1) - size
    padded = tf.pad(
      images,
      [[0, 0], [0, missing[0]], [0, missing[1]], [0, 0]],
      constant_values=IMAGE_FILL,
    )
    # Not tf.ensure_shape, which LiteRT cannot convert.
    return (
      tf.reshape(padded, (-1, *self.crop_size, 3)) if self.crop_size else padded
    )


def _pair(field: str, values) -> Size | None:
  """Height and width of a repeated field; None where it sets no bound."""
  values = tuple(values) * (2 if len(values) == 1 else 1)
  if len(values) not in (0, 2):
    raise ValueError(
      f"eval_dataset_options.{field}: expected one value or height and width, "
      f"such as 641,641; got {list(values)}."
    )
  return values if values and min(values) > 0 else None
