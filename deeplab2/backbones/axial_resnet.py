"""Axial residual networks with a dual-path transformer and stacked decoder.

Wang et al., "Axial-DeepLab", ECCV 2020, and "MaX-DeepLab", CVPR 2021. The
layers and the forward pass follow one `NetworkPlan`, stage by stage.
"""

from typing import NamedTuple

import keras
from keras import ops

from deeplab2.backbones.plan import BACKBONE, NetworkPlan, Stage
from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.composite import Composite
from deeplab2.layers.convolution import SequenceConvNorm
from deeplab2.layers.drop_path import drop_path_factors
from deeplab2.layers.dual_path_transformer import (
  NUM_DROP_PATHS,
  DualPathTransformer,
)
from deeplab2.layers.recompute import runner
from deeplab2.layers.residual_block import BLOCKS
from deeplab2.layers.resized_fuse import ResizedFuse
from deeplab2.layers.stem import STEMS
from deeplab2.structures import Tensor

MAX_SLOTS = 128  # rows of the memory variable, so that checkpoints fit


class Features(NamedTuple):
  """What the network makes of a batch of images.

  `maps` has the output of each stage under its name, not rectified, and that
  of "stage1", the stem's where there is no such stage.
  """

  maps: dict[str, Tensor]  # stage name -> b h w d
  memory: Tensor | None  # b n d
  class_feature: Tensor | None  # b n d  memory, ready for the class head
  mask_feature: Tensor | None  # b n d  memory, ready for the mask head


class ResidualStage(Composite):
  """The blocks of a `Stage`, each with its transformer if it has one."""

  def __init__(
    self, stage: Stage, ffn_channels: int, norm: NormOptions, *, recomputes
  ):
    super().__init__()
    self.stage = stage
    self.recomputes = recomputes
    for i, block in enumerate(stage.blocks, start=1):
      kind = BLOCKS[block.kind]
      # Later stages may read what goes into this one.
      layer = kind(
        block.channels, norm, strides=block.strides, shares_input=i == 1
      )
      setattr(self, f"block{i}", layer)
      if block.transformer:
        transformer = DualPathTransformer(block.transformer, ffn_channels, norm)
        setattr(self, f"block{i}_transformer", transformer)

  def call(self, x, memory=None, keep=None, training=False):
    """Features b h w c and memory b n d to the same; `keep` as from `Paths`."""
    run = runner(training=training, again=self.recomputes)
    paths = iter(keep if keep is not None else ())
    for i, block in enumerate(self.stage.blocks, start=1):
      drops = keep is not None and block.drop_rate > 0
      layer = getattr(self, f"block{i}")
      factor = next(paths) if drops else None
      x = run(layer, x, keep=factor)
      if block.transformer:
        factors = None
        if drops:
          factors = [next(paths) for _ in range(NUM_DROP_PATHS)]
        transformer = getattr(self, f"block{i}_transformer")
        x, memory = run(transformer, x, memory, keep=factors)
    return x, memory

  @property
  def drop_rates(self):
    """One rate for each random path, in the order `call` takes them."""
    rates = []
    for block in self.stage.blocks:
      if block.drop_rate > 0:
        count = 1 + (NUM_DROP_PATHS if block.transformer else 0)
        rates += [block.drop_rate] * count
    return rates


class AxialResNet(Composite):
  """Images to features at several strides, and to a memory of mask slots."""

  def __init__(
    self,
    plan: NetworkPlan,
    norm: NormOptions,
    *,
    recomputes: bool = False,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.plan = plan
    self.norm = norm
    self.recomputes = recomputes
    self.stem = STEMS[plan.stem](plan.stem_width, norm)
    strides = {stage.name: stage.stride for stage in plan.stages}
    for stage in plan.stages:
      if stage.inputs:
        fuse = ResizedFuse(
          stage.channels,
          stage.stride,
          [strides[name] for name in stage.inputs],
          norm,
        )
        setattr(self, stage.fuse_name, fuse)
      layer = ResidualStage(
        stage, plan.ffn_channels, norm, recomputes=recomputes
      )
      setattr(self, stage.name, layer)
    if plan.memory_slots:
      self.class_feature_extra = SequenceConvNorm(plan.head_channels, norm)
      self.mask_feature_extra = SequenceConvNorm(plan.head_channels, norm)

  def build(self, input_shape):
    if self.plan.memory_slots:
      rows = max(MAX_SLOTS, self.plan.memory_slots)
      self.memory_feature = self.add_weight(
        name="memory_feature",
        shape=(1, rows, self.plan.memory_channels),
        initializer=keras.initializers.TruncatedNormal(stddev=1.0),
      )

  def call(self, image, training=False, seed=None) -> Features:
    """Normalized image b h w 3 to `Features`.

    `seed`, an int32 pair, turns on drop path in training.
    """
    run = runner(training=training, again=self.recomputes)
    memory = self._initial_memory(image)
    keep = self._drop_paths(image, seed) if training else {}
    x = run(self.stem, image)
    maps = {"stage1": x}
    for stage in self.plan.stages:
      if stage.inputs:
        fuse = getattr(self, stage.fuse_name)
        x = run(fuse, [maps[name] for name in stage.inputs])
      layer = getattr(self, stage.name)
      x, memory = layer(x, memory, keep=keep.get(stage.name), training=training)
      maps[stage.name] = x
    if memory is None:
      return Features(maps, None, None, None)
    return Features(
      maps,
      memory,
      self.class_feature_extra(memory, training=training),
      self.mask_feature_extra(memory, training=training),
    )

  def _initial_memory(self, image):
    """The learned memory for each sample, b n d."""
    if not self.plan.memory_slots:
      return None
    memory = ops.cast(self.memory_feature, self.compute_dtype)
    memory = memory[:, : self.plan.memory_slots]
    return ops.tile(memory, (ops.shape(image)[0], 1, 1))

  def _drop_paths(self, image, seed):
    """Stage name -> list of drop-path factors [b], drawn in one go."""
    rates = {s.name: getattr(self, s.name).drop_rates for s in self.plan.stages}
    flat = [rate for stage_rates in rates.values() for rate in stage_rates]
    if seed is None or not flat:
      return {}
    factors = drop_path_factors(flat, ops.shape(image)[0], seed)
    rows = iter(range(len(flat)))
    return {
      name: [factors[next(rows)] for _ in stage_rates]
      for name, stage_rates in rates.items()
    }

  def backbone_variables(self):
    """Trainable variables that a pretrained classifier has (see the plan)."""
    variables = list(self.stem.trainable_variables)
    for stage in self.plan.stages:
      if stage.group != BACKBONE:
        continue
      if stage.inputs:
        variables += getattr(self, stage.fuse_name).trainable_variables
      layer = getattr(self, stage.name)
      for i in range(1, len(stage.blocks) + 1):
        variables += getattr(layer, f"block{i}").trainable_variables
    return variables
