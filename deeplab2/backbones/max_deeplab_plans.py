"""Plans of MaX-DeepLab-S and -L (Wang et al., CVPR 2021, section 3.4)."""

import dataclasses

from deeplab2.backbones.plan import BACKBONE, REST, NetworkPlan, Stage
from deeplab2.backbones.stage_factory import (
  Architecture,
  Scaling,
  StageFactory,
)

SMALL = Architecture(
  stem="inception",
  convolution="bottleneck",
  blocks=(0, 3, 4, 6, 3),
  bottleneck=2,
  key=1,
  value=2,
  transformer_level=32,
  transformer_expansion=1.0,
  drop_path_level=16,
  memory_channels=256,
  head_channels=256,
)

LARGE = Architecture(
  stem="wide",
  convolution="basic",
  blocks=(3, 3, 6, 3, 3),
  bottleneck=4,
  key=2,
  value=4,
  transformer_level=16,
  transformer_expansion=2.0,
  drop_path_level=4,
  memory_channels=512,
  head_channels=512,
)


def _small_stages(make: StageFactory) -> list[Stage]:
  """A ResNet, then a descent to stride 4."""
  extra = dict(group=REST, count=1)
  return [
    *(make.encoder(index) for index in (2, 3, 4, 5)),
    make.same_level("stage5_extra", **extra),
    make.decoder(
      "decoder_stage1_extra", 8, ("stage5_extra", "stage3"), **extra
    ),
    make.decoder(
      "decoder_stage2_extra", 4, ("decoder_stage1_extra", "stage2"), **extra
    ),
  ]


def _large_stages(make: StageFactory) -> list[Stage]:
  """A wide ResNet, then 16-8-4-8-16 in the backbone, and that again, and 8-4.

  Each fuse takes the stage above and the last two outputs of its own stride.
  """
  backbone = dict(group=BACKBONE, count=1)
  extra = dict(group=REST, count=3)
  d = "decoder_stage"
  return [
    *(make.encoder(index) for index in (1, 2, 3, 4, 5)),
    make.decoder(f"{d}1", 8, ("stage5", "stage3"), **backbone),
    make.decoder(f"{d}2", 4, (f"{d}1", "stage2"), **backbone),
    make.decoder(f"{d}3", 8, (f"{d}2", "stage3", f"{d}1"), **backbone),
    make.decoder(f"{d}4", 16, (f"{d}3", "stage5"), **backbone),
    make.same_level(f"{d}4_extra", **extra),
    make.decoder(f"{d}5_extra", 8, (f"{d}4_extra", f"{d}1", f"{d}3"), **extra),
    make.decoder(f"{d}6_extra", 4, (f"{d}5_extra", "stage2", f"{d}2"), **extra),
    make.decoder(
      f"{d}7_extra", 8, (f"{d}6_extra", f"{d}3", f"{d}5_extra"), **extra
    ),
    make.decoder(
      f"{d}8_extra", 16, (f"{d}7_extra", "stage5", f"{d}4_extra"), **extra
    ),
    make.decoder(
      f"{d}9_extra", 8, (f"{d}8_extra", f"{d}5_extra", f"{d}7_extra"), **extra
    ),
    make.decoder(
      f"{d}10_extra", 4, (f"{d}9_extra", f"{d}2", f"{d}6_extra"), **extra
    ),
  ]


@dataclasses.dataclass(frozen=True)
class _Member:
  """An architecture, its stages and where its outputs are taken."""

  architecture: Architecture
  stages: object
  panoptic: str
  semantic: str
  backbone_output: str


MEMBERS = {
  "max_deeplab_s": _Member(
    SMALL, _small_stages, "decoder_stage2_extra", "stage5", "stage5"
  ),
  "max_deeplab_l": _Member(
    LARGE,
    _large_stages,
    "decoder_stage10_extra",
    "decoder_stage6_extra",
    "decoder_stage4",
  ),
}


def max_deeplab_plan(
  name: str,
  scaling: Scaling | None = None,
  *,
  num_mask_slots: int = 128,
  memory_channels: int | None = None,
  ffn_channels: int = 2048,
) -> NetworkPlan:
  """The plan of `name`, "max_deeplab_s" or "max_deeplab_l".

  `memory_channels` None keeps the architecture's.

  Raises:
    ValueError: the name is unknown, or a number is out of its range.
  """
  if name not in MEMBERS:
    raise ValueError(
      f"backbone.name: expected one of {sorted(MEMBERS)}; got {name!r}."
    )
  member = MEMBERS[name]
  architecture = member.architecture
  scaling = scaling or Scaling()
  memory_channels = memory_channels or architecture.memory_channels
  _check_positive(
    num_mask_slots=num_mask_slots,
    memory_channels=memory_channels,
    transformer_ffn_channels=ffn_channels,
  )
  return NetworkPlan(
    stem=architecture.stem,
    stem_width=scaling.stem_width,
    stages=tuple(member.stages(StageFactory(architecture, scaling))),
    panoptic=member.panoptic,
    semantic=member.semantic,
    backbone_output=member.backbone_output,
    memory_slots=num_mask_slots,
    memory_channels=memory_channels,
    ffn_channels=ffn_channels,
    head_channels=architecture.head_channels,
  )


def _check_positive(**fields):
  for name, value in fields.items():
    if value < 1:
      raise ValueError(
        f"backbone.{name}: expected a positive integer, such as 128; "
        f"got {value}."
      )


def classifier_plan(plan: NetworkPlan) -> NetworkPlan:
  """The part that is pretrained on ImageNet: no memory, no transformers."""
  stages = tuple(
    dataclasses.replace(
      stage,
      blocks=tuple(
        dataclasses.replace(block, transformer=0) for block in stage.blocks
      ),
    )
    for stage in plan.stages
    if stage.group == BACKBONE
  )
  last = stages[-1].name
  return dataclasses.replace(
    plan,
    stages=stages,
    panoptic=last,
    semantic=last,
    backbone_output=last,
    memory_slots=0,
  )
