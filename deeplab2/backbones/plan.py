"""The plan of a network: its stages as data, from which layers are made.

A plan says everything that a reader, a builder, a forward pass and an optimizer
need to know of the structure. Strides are those of the features.
"""

import dataclasses

BACKBONE = "backbone"  # pretrained as an image classifier
REST = "rest"  # trained from scratch

OUTPUT_STRIDE = 16  # the least resolution that is computed


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
  """A residual block and, where `transformer` is not 0, one on its output.

  Attributes:
    kind: a key of `layers.residual_block.BLOCKS`.
    channels: of the block's convolutions, the last those of its output.
    strides: of its first spatial operation.
    transformer: width of the dual-path transformer behind it; 0 for none.
    drop_rate: of drop path in training.
  """

  kind: str
  channels: tuple[int, ...]
  strides: int = 1
  transformer: int = 0
  drop_rate: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
  """Blocks at one stride.

  Attributes:
    name: the attribute of the network, and so part of checkpoint keys.
    group: `BACKBONE` or `REST`; transformers are always `REST`.
    stride: of the output.
    inputs: names of the stages whose outputs are fused to make the input; with
      none, the input is the output of the stage above in the list.
    fuse_name: attribute of the layer that fuses.
    blocks: in order.
  """

  name: str
  group: str
  stride: int
  blocks: tuple[Block, ...]
  inputs: tuple[str, ...] = ()
  fuse_name: str = ""

  @property
  def channels(self) -> int:
    return self.blocks[-1].channels[-1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkPlan:
  """Everything about an encoder with its stacked decoder.

  Attributes:
    stem: a key of `layers.stem.STEMS`.
    stem_width: multiplier on its channels.
    stages: in order of computation.
    panoptic, semantic: names of the stages behind those features.
    backbone_output: name of the last pretrained stage.
    memory_slots, memory_channels: of the memory path; no slots, no memory.
    ffn_channels: hidden channels of the transformers.
    head_channels: of the features made of the memory at the end.
  """

  stem: str
  stem_width: float
  stages: tuple[Stage, ...]
  panoptic: str
  semantic: str
  backbone_output: str
  memory_slots: int
  memory_channels: int
  ffn_channels: int
  head_channels: int

  def stage_behind(self, feature: str) -> str:
    """The stage whose rectified output configs call `feature`."""
    encoder = ("stage1", "stage2", "stage3", "stage4", "stage5")
    stages = {name.replace("stage", "res"): name for name in encoder} | {
      "feature_panoptic": self.panoptic,
      "feature_semantic": self.semantic,
      "backbone_output": self.backbone_output,
    }
    if feature not in stages:
      raise ValueError(
        f"feature_key: expected one of {sorted(stages)}; got {feature!r}."
      )
    return stages[feature]

  def __str__(self):
    """A table with a line for each stage."""
    lines = [f"stem {self.stem} x{self.stem_width:g}"]
    for stage in self.stages:
      kinds = " ".join(
        block.kind + ("+transformer" if block.transformer else "")
        for block in stage.blocks
      )
      lines.append(
        f"{stage.name:24} 1/{stage.stride:<3} {stage.channels:5} "
        f"{stage.group:9} {kinds}"
      )
    return "\n".join(lines)
