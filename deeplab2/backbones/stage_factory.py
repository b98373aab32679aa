"""From a few numbers of an architecture to the blocks of its stages.

The `level` of a block is the stride it would have if the encoder went down to
32. Axial attention, transformers and drop path are placed by level.
"""

import dataclasses

from deeplab2.backbones.plan import BACKBONE, OUTPUT_STRIDE, Block, Stage
from deeplab2.layers.drop_path import drop_path_rate


@dataclasses.dataclass(frozen=True, kw_only=True)
class Architecture:
  """What tells the members of the family apart.

  Attributes:
    stem: a key of `layers.stem.STEMS`.
    convolution: kind of the blocks without attention.
    blocks: number of blocks of stage1 .. stage5; stage1 may have none.
    bottleneck, key, value: channels of an axial block's first convolution, keys
      and values, as multiples of its base width.
    transformer_level: least level with transformers; `level` as above.
    transformer_expansion: of transformer widths; 1 is 128 at stride 16.
    drop_path_level: least level with drop path.
    memory_channels, head_channels: as in NetworkPlan.
  """

  stem: str
  convolution: str
  blocks: tuple[int, int, int, int, int]
  bottleneck: int
  key: int
  value: int
  transformer_level: int
  transformer_expansion: float
  drop_path_level: int
  memory_channels: int
  head_channels: int


AXIAL_LEVEL = 16  # attention replaces convolution from here on


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scaling:
  """How one network departs from its architecture.

  Attributes:
    width: multiplier on the channels of all stages but the stem.
    stem_width: multiplier on the stem's (and a wide stage1's) channels.
    depth: multiplier on the number of blocks of stage2 .. stage5.
    transformer_expansion: None keeps the architecture's.
    drop_path_rate: of the last stage, in [0, 1).
    drop_path_schedule: "constant" or "linear".
  """

  width: float = 1.0
  stem_width: float = 1.0
  depth: float = 1.0
  transformer_expansion: float | None = None
  drop_path_rate: float = 0.0
  drop_path_schedule: str = "constant"

  def __post_init__(self):
    for name in ("width", "stem_width", "depth"):
      if getattr(self, name) <= 0:
        raise ValueError(
          f"{name} multiplier: expected a positive number, such as 0.5; "
          f"got {getattr(self, name)}."
        )
    if not 0 <= self.drop_path_rate < 1:
      raise ValueError(
        "drop_path_keep_prob: expected 0 < p <= 1, such as 0.8; "
        f"got {1 - self.drop_path_rate:g}."
      )


class StageFactory:
  """Makes the stages of one architecture at one scaling."""

  def __init__(self, architecture: Architecture, scaling: Scaling):
    self.architecture = architecture
    self.scaling = scaling

  def encoder(self, index: int) -> Stage:
    """`stage{index}`, index 1..5: the first block goes one level down."""
    leaves = 2**index
    wide_first = index == 1
    # A stage1 of blocks follows a stem that has gone to stride 2 already.
    enters = leaves if wide_first else leaves // 2
    width = self.scaling.stem_width if wide_first else self.scaling.width
    count = self.architecture.blocks[index - 1]
    if not wide_first:
      count = int(count * self.scaling.depth)
    if count < 1:
      raise ValueError(
        "backbone_layer_multiplier: expected at least one block in each "
        f"stage; got {self.scaling.depth:g}, which leaves stage{index} none."
      )
    return Stage(
      name=f"stage{index}",
      group=BACKBONE,
      stride=min(leaves, OUTPUT_STRIDE),
      blocks=self._blocks(
        count, enters, leaves, round(leaves * 16 * width), leaves / 2
      ),
    )

  def same_level(self, name: str, *, count: int, group: str) -> Stage:
    """A stage on the output of the one above, at the least resolution."""
    return Stage(
      name=name,
      group=group,
      stride=OUTPUT_STRIDE,
      blocks=self._decoder_blocks(count, OUTPUT_STRIDE),
    )

  def decoder(
    self, name: str, stride: int, inputs, *, count: int, group: str
  ) -> Stage:
    """A stage on the sum of `inputs` at `stride`."""
    return Stage(
      name=name,
      group=group,
      stride=stride,
      inputs=tuple(inputs),
      fuse_name=f"{name}_resized_fuse",
      blocks=self._decoder_blocks(count, stride),
    )

  def _decoder_blocks(self, count, stride):
    level = 32 if stride == OUTPUT_STRIDE else stride
    filters = int(level * 16 * self.scaling.width)
    return self._blocks(count, level, level, filters, stride)

  def _blocks(self, count, enters, leaves, filters, transformer_stride):
    """`count` blocks; the first enters at a level, the others are past it."""
    down = leaves > enters and leaves <= OUTPUT_STRIDE
    return tuple(
      Block(
        **self._kind_and_channels(leaves if i else enters, filters),
        strides=2 if down and i == 0 else 1,
        transformer=self._transformer(leaves, transformer_stride),
        drop_rate=self._drop_rate(leaves if i else enters),
      )
      for i in range(count)
    )

  def _kind_and_channels(self, level, filters):
    net = self.architecture
    if level >= AXIAL_LEVEL:
      key, value = filters * net.key, filters * net.value
      channels = (filters * net.bottleneck, key, value, filters * 4)
      return {"kind": "axial", "channels": channels}
    if net.convolution == "basic":
      return {"kind": "basic", "channels": (filters * 4, filters * 4)}
    return {"kind": "bottleneck", "channels": (filters, filters, filters * 4)}

  def _transformer(self, level, stride):
    if level < self.architecture.transformer_level:
      return 0
    expansion = self.scaling.transformer_expansion
    if expansion is None:
      expansion = self.architecture.transformer_expansion
    return int(128 * expansion * stride / 16)

  def _drop_rate(self, level):
    if level < self.architecture.drop_path_level:
      return 0.0
    depth = level.bit_length() - 2  # level 2 is depth 0, level 32 depth 4
    scaling = self.scaling
    return drop_path_rate(
      scaling.drop_path_rate, scaling.drop_path_schedule, depth
    )
