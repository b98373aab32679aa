"""MaX-DeepLab: an image to masks and their classes, end to end.

Wang et al., "MaX-DeepLab: End-to-End Panoptic Segmentation with Mask
Transformers", CVPR 2021. Wiring only.
"""

import dataclasses

import keras
import numpy as np
from keras import ops

from deeplab2.backbones.axial_resnet import AxialResNet, Features
from deeplab2.backbones.max_deeplab_plans import max_deeplab_plan
from deeplab2.backbones.plan import OUTPUT_STRIDE, NetworkPlan
from deeplab2.backbones.stage_factory import Scaling
from deeplab2.heads.mask_head import MaskHead
from deeplab2.heads.prediction_head import PredictionHead
from deeplab2.heads.semantic_decoder import DecoderOptions, SemanticDecoder
from deeplab2.layers.batch_norm import NormOptions
from deeplab2.layers.precision import precision_of_layers
from deeplab2.layers.recompute import runner
from deeplab2.layers.shared_relu import relu_of_shared
from deeplab2.stateless_random import split_seed
from deeplab2.structures import MaskPrediction

MASK_STRIDE = 4  # of the logits, semantic ones included


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadOptions:
  """Plain values of a head.

  Attributes:
    outputs: numbers a pixel.
    channels: between its two convolutions.
    kind: of the first, a key of `layers.convolution.CONVOLUTIONS`.
  """

  outputs: int
  channels: int = 256
  kind: str = "depthwise_separable_conv"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SemanticBranch:
  """The auxiliary semantic branch.

  Attributes:
    deep: name of the feature it starts from.
    shallow: names of the features it fuses, the coarsest first.
    decoder: used where the deep feature is coarser than the masks.
    head: of the logits, one for each class id of the dataset.
  """

  deep: str = "feature_semantic"
  shallow: tuple[str, ...] = ("res3", "res2")
  decoder: DecoderOptions = dataclasses.field(default_factory=DecoderOptions)
  head: HeadOptions


class MaXDeepLab(keras.Model):
  """A MaX-DeepLab network; one instance serves every size 16 k + 1.

  Args:
    plan: of encoder and stacked decoder.
    num_class_channels: of the class logits, void included.
    pixel_head: of the pixel features.
    semantic: of the auxiliary branch.
    norm: of all normalizations.
    initial_mask_scale: factor on the mask logits of a new network.
    recomputes: saves memory in training by computing each part once more for
      its gradient.
    precision: "float32" or "mixed_bfloat16"; the latter keeps softmax,
      normalizations and logits in float32.
  """

  def __init__(
    self,
    plan: NetworkPlan,
    *,
    num_class_channels: int,
    pixel_head: HeadOptions,
    semantic: SemanticBranch,
    norm: NormOptions | None = None,
    initial_mask_scale: float = 0.1,
    recomputes: bool = False,
    precision: str = "float32",
    name: str = "max_deeplab",
  ):
    with precision_of_layers(precision):
      # Pixel values have eight bits and fractions: they go in as float32.
      super().__init__(name=name, autocast=False)
      norm = norm or NormOptions()
      self.plan = plan
      self.recomputes = recomputes
      self.semantic = semantic
      self.encoder = AxialResNet(plan, norm, recomputes=recomputes)
      if self.decodes_semantic:
        self.semantic_decoder = SemanticDecoder(semantic.decoder, norm)
      self.semantic_head = PredictionHead(
        semantic.head.outputs,
        semantic.head.channels,
        norm,
        kind=semantic.head.kind,
      )
      self.mask_head = MaskHead(
        pixel_head.outputs,
        pixel_head.channels,
        num_class_channels,
        norm,
        kind=pixel_head.kind,
        initial_scale=initial_mask_scale,
      )

  def build(self, input_shape):
    """Creates nothing; the layers do when first called (see `Composite`)."""

  @property
  def decodes_semantic(self) -> bool:
    """Whether the semantic features are coarser than the masks."""
    strides = {stage.name: stage.stride for stage in self.plan.stages}
    return strides[self.plan.semantic] != MASK_STRIDE

  def call(self, image, training=False, auxiliary=True, seed=None):
    """Images to `MaskPrediction`.

    Args:
      image: b h w 3, numbers of 0..255 of any dtype; h and w 16 k + 1.
      training: whether batch statistics normalize and move the averages.
      auxiliary: whether to compute the semantic logits, None without.
      seed: int32 pair, the source of drop path and dropout, which act in
        training and are off without it. To be another at each step and replica.
    """
    check_size(image.shape)
    path_seed, dropout_seed = (None, None)
    if training and seed is not None:
      path_seed, dropout_seed = split_seed(seed, 2)
    features = self.encoder(
      self.normalize(image), training=training, seed=path_seed
    )
    run = runner(training=training, again=self.recomputes)
    masks, classes, pixel_features = run(
      self.mask_head,
      relu_of_shared(features.maps[self.plan.panoptic], training),
      features.class_feature,
      features.mask_feature,
    )
    semantic = None
    if auxiliary:
      semantic = self._semantic_logits(features, training, dropout_seed)
    return MaskPrediction(masks, classes, pixel_features, semantic)

  def normalize(self, image):
    """0..255 to -1..1; the padding, 127.5, to 0."""
    image = ops.cast(image, "float32") / 127.5 - 1.0
    return ops.cast(image, self.compute_dtype)

  def _semantic_logits(self, features: Features, training, seed):
    run = runner(training=training, again=self.recomputes)
    if not self.decodes_semantic:
      x = self.feature(features, "feature_semantic", training)
    else:
      shallow = [
        self.feature(features, name, training) for name in self.semantic.shallow
      ]
      x = run(
        self.semantic_decoder,
        self.feature(features, self.semantic.deep, training),
        shallow,
        seed=seed,
      )
    return run(self.semantic_head, x)

  def feature(self, features: Features, name: str, training=False):
    """A rectified map by the name that configs know it by."""
    stage = self.plan.stage_behind(name)
    return relu_of_shared(features.maps[stage], training)

  def parameter_groups(self):
    """Trainable variables: "backbone", pretrained ones, and "rest"."""
    backbone = self.encoder.backbone_variables()
    ids = {id(variable) for variable in backbone}
    rest = [v for v in self.trainable_variables if id(v) not in ids]
    return {"backbone": backbone, "rest": rest}

  def class_layers(self):
    """Layers with a row for each class, by what their last axis counts.

    "class_ids" are those of the dataset, "channels" those of its ClassLayout.
    """
    return {
      "class_ids": [self.semantic_head.final_conv],
      "channels": [self.mask_head.transformer_class_head],
    }


def check_size(shape):
  """Raises ValueError unless height and width, where known, are 16 k + 1."""
  for axis, extent in zip(("height", "width"), shape[1:3], strict=True):
    if extent is not None and (extent % OUTPUT_STRIDE != 1 or extent == 1):
      raise ValueError(
        f"image {axis}: expected 16*k + 1, such as 641; got {extent}."
      )


def build_max_deeplab(experiment, dataset) -> MaXDeepLab:
  """The model of an experiment, with its variables.

  Args:
    experiment: ExperimentOptions whose meta-architecture is max_deeplab.
    dataset: DatasetDescription of the classes.

  Raises:
    ValueError: a number of the config fits no network; the field is named.
  """
  options = experiment.model_options
  solver = experiment.trainer_options.solver_options
  heads = options.max_deeplab
  model = MaXDeepLab(
    _plan(options.backbone),
    num_class_channels=dataset.layout.num_channels,
    pixel_head=_head(heads.pixel_space_head),
    semantic=SemanticBranch(
      deep=options.decoder.feature_key,
      shallow=tuple(low.feature_key for low in heads.auxiliary_low_level),
      decoder=_decoder(options, experiment.train_dataset_options.crop_size),
      head=_head(heads.auxiliary_semantic_head),
    ),
    norm=NormOptions(
      momentum=solver.batchnorm_momentum,
      epsilon=solver.batchnorm_epsilon,
      synchronized=solver.use_sync_batchnorm,
    ),
    initial_mask_scale=heads.initial_mask_scale,
    recomputes=options.backbone.recompute_grad,
    precision=experiment.trainer_options.precision,
  )
  _create_variables(model)
  return model


def _create_variables(model):
  """Calls the model on the smallest image, or on the mere shape of it.

  JAX, which would compile each operation of a call, knows how to follow shapes.
  """
  extent = 2 * OUTPUT_STRIDE + 1
  shape = (1, extent, extent, 3)
  if keras.backend.backend() == "jax":
    model(keras.KerasTensor(shape, "uint8"))
  else:
    model(np.zeros(shape, "uint8"))


def _plan(backbone) -> NetworkPlan:
  """The plan that BackboneOptions describe; unset widths are the paper's."""
  return max_deeplab_plan(
    backbone.name,
    Scaling(
      width=backbone.backbone_width_multiplier,
      stem_width=backbone.stem_width_multiplier,
      depth=backbone.backbone_layer_multiplier,
      transformer_expansion=_if_set(backbone, "transformer_expansion"),
      drop_path_rate=1.0 - backbone.drop_path_keep_prob,
      drop_path_schedule=backbone.drop_path_schedule,
    ),
    num_mask_slots=backbone.num_mask_slots,
    memory_channels=_if_set(backbone, "memory_channels"),
    ffn_channels=backbone.transformer_ffn_channels,
  )


def _if_set(message, field):
  return getattr(message, field) if message.HasField(field) else None


def _head(options) -> HeadOptions:
  return HeadOptions(
    outputs=options.output_channels,
    channels=options.head_channels,
    kind=options.head_conv_type,
  )


def _decoder(options, crop_size) -> DecoderOptions:
  """The windows of ASPP are the features of a training crop."""
  decoder = options.decoder
  return DecoderOptions(
    channels=decoder.decoder_channels,
    aspp_channels=decoder.aspp_channels,
    atrous_rates=tuple(decoder.atrous_rates),
    aspp_only_projection=decoder.aspp_use_only_1x1_proj_conv,
    pool_size=tuple((n - 1) // OUTPUT_STRIDE + 1 for n in crop_size) or None,
    low_level_channels=tuple(
      low.channels_project for low in options.max_deeplab.auxiliary_low_level
    ),
    kind=decoder.decoder_conv_type,
  )
