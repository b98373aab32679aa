"""The values that travel between the parts of the library, one type each.

Letters used in shapes, here and in every module below: b batch, h w height and
width, n mask slots, k ground-truth masks, c classes, d channels, p pixels.
Images are 0..255. "Void" is a pixel that belongs to no class that counts.

These types hold whatever tensor a backend uses; nothing here imports one.
"""

import dataclasses
from typing import Any, NamedTuple

Tensor = Any


class Sample(NamedTuple):
  """One image and its panoptic label, on its way through the augmentations."""

  image: Tensor  # h w 3  float32, 0..255
  panoptic: Tensor  # h w  int32; semantic * divisor + instance


class Targets(NamedTuple):
  """Ground truth of a batch: label maps, never one mask an object.

  The maps have the size of the image, or that of the logits (a stride of it).
  """

  semantic: Tensor  # b h w  int32; the ignore label where void
  semantic_weight: Tensor  # b h w  float32; factor on the semantic loss
  thing_id: Tensor  # b h w  int32 in 0..max_thing_id-1; -1 where no thing
  thing_class: Tensor  # b max_thing_id  int32 class id; -1 in unused rows
  crowd: Tensor  # b h w  bool; a crowd of things, not to be told apart
  panoptic: Tensor  # b h w  int32; ignore_label * divisor where void


class Batch(NamedTuple):
  """What the input pipeline yields."""

  image: Tensor  # b h w 3  float32, 0..255, padding 127.5
  targets: Targets
  name: Tensor  # b  string; file name without extension
  valid_size: Tensor  # b 2  int32; without the padding; below 1: no image
  raw_size: Tensor  # b 2  int32; height and width in the record


class MaskPrediction(NamedTuple):
  """What a mask transformer says of a batch, at the resolution of its masks."""

  mask_logits: Tensor  # b h w n
  class_logits: Tensor  # b n c  things, stuff, void last (ClassLayout's order)
  pixel_features: Tensor  # b h w d  of unit length over d
  semantic_logits: Tensor | None  # b h w c  auxiliary; c includes void ids


class PanopticPrediction(NamedTuple):
  """Maps of a batch at the resolution of the image."""

  panoptic: Tensor  # b h w  int32; ignore_label * divisor where void
  semantic: Tensor | None  # b h w  int32; a class everywhere, no threshold
  instance: Tensor  # b h w  int32; slot + 1 everywhere, of the sure slots
  instance_score: Tensor  # b h w  float32 probability of the pixel's slot
  semantic_score: Tensor  # b h w  float32 probability of the slot's class


@dataclasses.dataclass(frozen=True)
class PanopticCodec:
  """panoptic = semantic * divisor + instance; the one place that says so."""

  divisor: int

  def encode(self, semantic, instance):
    """Class id and instance id, alike in shape, to one panoptic id."""
    return semantic * self.divisor + instance

  def decode(self, panoptic):
    """A panoptic id to (class id, instance id)."""
    return panoptic // self.divisor, panoptic % self.divisor


@dataclasses.dataclass(frozen=True)
class ClassLayout:
  """Which dataset class each channel of the class logits stands for.

  Things come first, in the order listed, then stuff by ascending id, then void.
  """

  thing_ids: tuple[int, ...]
  stuff_ids: tuple[int, ...]
  ignore_label: int
  divisor: int

  @property
  def class_ids(self) -> tuple[int, ...]:
    """Dataset class id of each channel but the last, which is void."""
    return self.thing_ids + self.stuff_ids

  @property
  def num_channels(self) -> int:
    """Channels of the class logits, void included."""
    return len(self.class_ids) + 1

  @property
  def codec(self) -> PanopticCodec:
    return PanopticCodec(self.divisor)
