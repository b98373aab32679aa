"""Sums features of several strides at one of them.

The joints of MaX-DeepLab's stacked decoder (Wang et al., CVPR 2021).
"""

from keras import ops

from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.composite import Composite
from deeplab2.layers.convolution import ConvNorm
from deeplab2.layers.precision import precision_of_layers
from deeplab2.layers.resize import resize_align_corners
from deeplab2.layers.shared_relu import relu_of_shared


class ResizedFuse(Composite):
  """Brings each input to `filters` channels at `stride` and adds them up.

  An input of that depth is only resized. Another is rectified and projected:
  by a convolution of stride 2 where that gives the size, else at its own size
  and then resized. Strides, not sizes, decide, so one layer serves all sizes.
  """

  def __init__(
    self, filters: int, stride: int, input_strides, norm: NormOptions, **kwargs
  ):
    super().__init__(**kwargs)
    self.filters = filters
    self.stride = stride
    self.input_strides = tuple(input_strides)
    self.norm = norm

  def build(self, input_shapes):
    with precision_of_layers(self.dtype_policy.name):
      for i, shape in enumerate(input_shapes):
        if shape[-1] != self.filters:
          strides = 2 if self._halves(i) else 1
          projection = ConvNorm(
            self.filters, 1, self.norm, strides=strides, relu=False
          )
          setattr(self, self._projection_name(i), projection)

  def _halves(self, i):
    return 2 * self.input_strides[i] == self.stride

  def _projection_name(self, i):
    kind = "strided" if self._halves(i) else "resized"
    return f"{kind}_conv_bn{i + 1}"

  def call(self, features, training=False):
    """Features, b h w d at `input_strides`, to b h w filters at `stride`."""
    _, height, width, _ = ops.shape(features[0])
    size = [
      (extent - 1) * self.input_strides[0] // self.stride + 1
      for extent in (height, width)
    ]
    total = 0
    for i, feature in enumerate(features):
      if feature.shape[-1] != self.filters:
        projection = getattr(self, self._projection_name(i))
        feature = projection(
          relu_of_shared(feature, training), training=training
        )
      total = total + resize_align_corners(feature, size)
    return total
