"""Label maps to one mask an object, on the device, at the logits' resolution.

Letters: b batch, h w size of the maps, p = h * w pixels, k ground-truth masks.

Mask k is thing `k` of the image for k < max_thing_id; behind them stands one
mask for each stuff class. Most of the k are not in the image: such a mask has
the channel -1 and no pixel.
"""

from typing import NamedTuple

import numpy as np
from keras import ops

from deeplab2 import structures


class MaskTargets(NamedTuple):
  """The ground-truth masks of a batch, and what each pixel belongs to."""

  masks: structures.Tensor  # b p k  float32 in {0, 1}; masks do not overlap
  channel: structures.Tensor  # b k  int32 channel of the class logits; or -1
  area: structures.Tensor  # b k  float32 pixels
  mask_id: structures.Tensor  # b p  int32 in 0..k-1; -1 where no mask
  is_thing: structures.Tensor  # b p  bool; false where no mask
  labelled: structures.Tensor  # b p  bool; not void, with a mask or not

  @property
  def present(self):
    """b k  bool; the masks that the image really has."""
    return self.channel >= 0

  @property
  def has_mask(self):
    """b p  bool; a labelled pixel without one belongs to a crowd."""
    return self.mask_id >= 0


def stride_targets(targets, size):
  """Takes every s-th row and column of the maps, so that they have `size`.

  Returns `targets` as they are when they have that size already.

  Args:
    targets: Targets.
    size: (height, width) of the logits, static.

  Raises:
    ValueError: no whole stride leads from the maps to `size`.
  """
  have = tuple(targets.semantic.shape[1:3])
  if have == tuple(size):
    return targets
  stride = _stride(have, size)
  maps = {
    name: value[:, ::stride, ::stride]
    for name, value in targets._asdict().items()
    if name != "thing_class" and value is not None
  }
  return targets._replace(**maps)


def _stride(have, want):
  pairs = tuple(zip(have, want, strict=True))
  known = None not in (*have, *want)
  stride = max((h - 1) // max(w - 1, 1) for h, w in pairs) if known else 0
  if stride < 1 or any((w - 1) * stride != h - 1 for h, w in pairs):
    raise ValueError(
      "targets: expected maps of s * (height - 1) + 1 rows and s * (width - 1) "
      f"+ 1 columns for logits of {tuple(want)}; got {have}."
    )
  return stride


def mask_targets(targets, layout, *, drop_absent=True):
  """The masks of a batch.

  A mask of which the stride left no pixel is gone, and so is a thing whose
  class the layout does not list.

  Args:
    targets: Targets at the resolution of the logits.
    layout: ClassLayout.
    drop_absent: keeps as many masks as the fullest image of the batch has.
      Everything downstream is cheaper by that factor (about 181 to 20 on
      COCO), but the number of masks is then only known at run time.

  Returns:
    MaskTargets.
  """
  max_things = targets.thing_class.shape[1]
  mask_id, labelled = _pixel_masks(targets, layout, max_things)
  channel = _mask_channels(targets.thing_class, layout)
  area = _count(mask_id, max_things + len(layout.stuff_ids))
  present = ops.logical_and(area > 0.5, channel >= 0)
  channel = ops.where(present, channel, -1)
  mask_id = ops.where(_look_up(present, mask_id, False), mask_id, -1)
  is_thing = ops.logical_and(mask_id >= 0, mask_id < max_things)
  if drop_absent:
    mask_id, channel, area = _drop_absent(mask_id, channel, area)
  rows = ops.arange(ops.shape(channel)[1], dtype="int32")
  masks = ops.cast(ops.expand_dims(mask_id, -1) == rows, "float32")
  return MaskTargets(masks, channel, area, mask_id, is_thing, labelled)


def region_area(targets):
  """Pixels in the region of each pixel, as float32: MaskTargets -> b p.

  A region is a mask; the labelled pixels without a mask (crowds) are one more,
  and so is void.
  """
  of_mask = _look_up(targets.area, targets.mask_id, 0.0)
  crowd = ops.logical_and(targets.labelled, ops.logical_not(targets.has_mask))
  void = ops.logical_not(targets.labelled)
  for region in (crowd, void):
    size = ops.sum(ops.cast(region, "float32"), axis=1, keepdims=True)
    of_mask = ops.where(region, size, of_mask)
  return of_mask


def _pixel_masks(targets, layout, max_things):
  """The mask of each pixel, or -1, and whether it is labelled: twice b p."""
  semantic = _flatten(targets.semantic)
  thing = _flatten(targets.thing_id)
  labelled = ops.not_equal(semantic, layout.ignore_label)
  rows = range(max_things, max_things + len(layout.stuff_ids))
  stuff = _translate(semantic, dict(zip(layout.stuff_ids, rows, strict=True)))
  mask_id = ops.where(thing >= 0, thing, stuff)
  return ops.where(labelled, mask_id, -1), labelled


def _mask_channels(thing_class, layout):
  """Channel of the class logits for each mask: b k."""
  channel_of = {label: i for i, label in enumerate(layout.class_ids)}
  things = _translate(ops.cast(thing_class, "int32"), channel_of)
  stuff = np.array([channel_of[label] for label in layout.stuff_ids], np.int32)
  stuff = ops.broadcast_to(
    ops.convert_to_tensor(stuff), (ops.shape(things)[0], len(stuff))
  )
  return ops.concatenate([things, stuff], axis=1)


def _translate(labels, table):
  """Looks labels up in a dict of small non-negative ints; -1 where missing."""
  size = max(table, default=0) + 1
  values = np.full(size, -1, np.int32)
  values[list(table)] = list(table.values())
  found = ops.take(ops.convert_to_tensor(values), ops.clip(labels, 0, size - 1))
  inside = ops.logical_and(labels >= 0, labels < size)
  return ops.where(inside, found, -1)


def _count(mask_id, masks):
  """Pixels of each mask: b p -> b k. Pixels without a mask don't count."""
  batch = ops.shape(mask_id)[0]
  # One more bin an image takes the pixels without a mask.
  bins = masks + 1
  row = ops.where(mask_id >= 0, mask_id, masks)
  row += ops.expand_dims(ops.arange(batch, dtype="int32") * bins, 1)
  row = ops.reshape(row, (-1,))
  ones = ops.ones_like(row, dtype="float32")
  area = ops.segment_sum(ones, row, num_segments=batch * bins)
  return ops.reshape(area, (batch, bins))[:, :masks]


def _drop_absent(mask_id, channel, area):
  """Moves the masks that are there to the front and cuts off the rest."""
  present = channel >= 0
  rank = ops.cumsum(ops.cast(present, "int32"), axis=1)
  # At least two rows: nothing downstream is empty, nor a softmax over one.
  keep = ops.maximum(ops.max(rank), 2)
  position = ops.arange(channel.shape[1], dtype="int32")
  order = ops.argsort(ops.where(present, position, position + channel.shape[1]))
  order = order[:, :keep]
  mask_id = _look_up(rank - 1, mask_id, -1)
  channel = ops.take_along_axis(channel, order, axis=1)
  return mask_id, channel, ops.take_along_axis(area, order, axis=1)


def _look_up(values, index, missing):
  """values[b, index[b, p]]: b k, b p -> b p; `missing` where index is -1."""
  found = ops.take_along_axis(values, ops.maximum(index, 0), axis=1)
  return ops.where(index >= 0, found, missing)


def _flatten(label_map):
  height, width = ops.shape(label_map)[1:3]
  return ops.cast(ops.reshape(label_map, (-1, height * width)), "int32")
