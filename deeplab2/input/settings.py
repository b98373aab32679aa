"""What the pipeline takes from the config; the only place that reads it."""

import dataclasses

from deeplab2.input.targets.small_instances import SmallInstances
from deeplab2.input.transforms.autoaugment import Policy, find_policy
from deeplab2.input.transforms.copy_paste import PasteRule
from deeplab2.input.transforms.random_scale import ScaleRange
from deeplab2.input.transforms.resize import Size

_VIDEO_FIELDS = ("use_two_frames", "use_next_frame", "cameras_to_use")


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputSettings:
  """Sizes, augmentations and targets of one split."""

  batch_size: int  # over all hosts
  crop_size: Size
  min_size: Size | None
  max_size: Size | None
  resize_factor: int | None
  scales: ScaleRange
  policy: Policy | None
  paste_scale: float  # 0: nothing is pasted
  paste_rule: PasteRule
  small_instances: SmallInstances
  max_things: int
  labelled: bool

  def __post_init__(self):
    for field in ("batch_size", "max_things"):
      if getattr(self, field) < 1:
        raise ValueError(
          f"{field}: expected at least 1; got {getattr(self, field)}."
        )
    if self.paste_scale < 0:
      raise ValueError(
        f"panoptic_copy_paste_scale: expected 0 or more, such as 1.0; "
        f"got {self.paste_scale}."
      )


def read_settings(options) -> InputSettings:
  """Settings from a `DatasetOptions` message.

  Raises:
    ValueError: a field is wrong or asks for what this pipeline has not; names
      the field, the rule and the value.
  """
  _check_single_images(options)
  augmentations = options.augmentations
  paste = augmentations.panoptic_copy_paste
  return InputSettings(
    batch_size=options.batch_size,
    crop_size=_pair("crop_size", options.crop_size, required=True),
    min_size=_pair("min_resize_value", options.min_resize_value),
    max_size=_pair("max_resize_value", options.max_resize_value),
    resize_factor=options.resize_factor or None,
    scales=_scales(augmentations),
    policy=_policy(augmentations.autoaugment_policy_name),
    paste_scale=paste.panoptic_copy_paste_scale,
    paste_rule=PasteRule(
      things=paste.panoptic_copy_paste_thing_option,
      stuff=paste.panoptic_copy_paste_stuff_option,
      void=paste.panoptic_copy_paste_void_option,
    ),
    small_instances=_small_instances(options),
    max_things=options.max_thing_id,
    labelled=options.decode_groundtruth_label,
  )


def _check_single_images(options):
  for field in _VIDEO_FIELDS:
    value = getattr(options, field)
    if value:
      raise ValueError(
        f"{field}: expected it unset, this pipeline reads single images; "
        f"got {value}."
      )


def _pair(field: str, values, required: bool = False) -> Size | None:
  """(height, width) from no, one or two numbers; None for no limit."""
  pair = tuple(values) * 2 if len(values) == 1 else tuple(values)
  if len(pair) not in (0, 2):
    raise ValueError(
      f"{field}: expected one number or height and width, such as 641, 641; "
      f"got {list(values)}."
    )
  if pair and min(pair) > 0:
    return pair
  if required:
    raise ValueError(
      f"{field}: expected height and width in pixels, such as 641, 641; "
      f"got {list(values)}."
    )
  return None


def _scales(augmentations) -> ScaleRange:
  return ScaleRange(
    augmentations.min_scale_factor,
    augmentations.max_scale_factor,
    augmentations.scale_factor_step_size,
  )


def _policy(name: str) -> Policy | None:
  return find_policy(name) if name else None


def _small_instances(options) -> SmallInstances:
  if not options.increase_small_instance_weights:
    return SmallInstances()
  return SmallInstances(
    options.small_instance_threshold, options.small_instance_weight
  )
