"""Ground truth of MaX-DeepLab: label maps of one image.

Small-instance areas and the numbers of things are those of the whole crop, also
where only every `stride`-th pixel of the maps is kept. The losses compare at
the stride of the logits and take the same pixels, so nothing changes for them.
"""

from deeplab2.input.segments import find_segments, is_crowd
from deeplab2.input.targets.semantic import panoptic_truth, semantic_classes
from deeplab2.input.targets.small_instances import (
  SmallInstances,
  semantic_weights,
)
from deeplab2.input.targets.things import number_things
from deeplab2.structures import ClassLayout, Targets, Tensor


def max_deeplab_targets(
  panoptic: Tensor,
  layout: ClassLayout,
  max_things: int,
  small: SmallInstances,
  stride: int = 1,
) -> Targets:
  """Targets of one image; all fields of `Targets`, without the batch axis.

  Args:
    panoptic: h w  int32, the label map after augmentation.
    layout: classes and divisor of the dataset.
    max_things: rows of the table of things.
    small: which instances weigh more in the semantic loss.
    stride: distance of the pixels that are kept, on both axes.
  """
  segments = find_segments(panoptic)
  things = number_things(segments, layout, max_things)
  weights = semantic_weights(segments, layout, small)
  kept = segments.strided(stride)
  return Targets(
    semantic=kept.spread(semantic_classes(segments.ids, layout)),
    semantic_weight=kept.spread(weights),
    thing_id=kept.spread(things.number),
    thing_class=things.classes,
    crowd=kept.spread(is_crowd(segments.ids, layout)),
    panoptic=kept.spread(panoptic_truth(segments.ids, layout)),
  )
