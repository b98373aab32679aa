"""MaX-DeepLab as a meta-architecture: its model, loss and post-processing."""

import functools

import keras

from deeplab2.losses.max_deeplab_loss import MaXDeepLabLoss, Term
from deeplab2.losses.sampling import PixelSampling
from deeplab2.models.max_deeplab import MASK_STRIDE, build_max_deeplab
from deeplab2.models.meta_architecture import MetaArchitecture
from deeplab2.postprocess.maskwise import MaskwiseThresholds, merge_maskwise
from deeplab2.postprocess.pixelwise import PixelwiseThresholds, merge_pixelwise


def build(experiment, dataset) -> MetaArchitecture:
  """Everything of an experiment whose meta-architecture is max_deeplab."""
  return MetaArchitecture(
    model=build_max_deeplab(experiment, dataset),
    dataset=dataset,
    loss=max_deeplab_loss(experiment, dataset),
    postprocess=max_deeplab_postprocess(experiment, dataset),
    target_stride=MASK_STRIDE,
  )


def max_deeplab_loss(experiment, dataset) -> MaXDeepLabLoss:
  """The loss that `trainer_options.loss_options` describe."""
  losses = experiment.trainer_options.loss_options
  sampled = experiment.model_options.max_deeplab
  return MaXDeepLabLoss(
    layout=dataset.layout,
    pq_style_weight=losses.pq_style_loss.weight,
    mask_id=_term(losses.mask_id_cross_entropy_loss),
    instance=_term(losses.instance_discrimination_loss),
    semantic=_term(losses.semantic_loss),
    instance_sampling=_sampling(
      sampled.instance_discrimination_sample_k,
      sampled.instance_discrimination_sample_temperature,
    ),
    semantic_sampling=_sampling(
      sampled.semantic_sample_k, sampled.semantic_sample_temperature
    ),
    solver=_solver(experiment.trainer_options),
  )


def _term(options) -> Term:
  return Term(weight=options.weight, top_k_percent=options.top_k_percent)


def _solver(options) -> str:
  """The matching's; one that XLA can compile where XLA compiles the step."""
  if options.loss_options.matching == "original":
    if options.jit_compile:
      raise ValueError(
        "trainer_options.loss_options.matching: expected 'exact' with "
        "trainer_options.jit_compile, which has no host; got 'original'."
      )
    return "original"
  return "compiled" if _is_compiled_whole(options) else "host"


def _is_compiled_whole(options) -> bool:
  """Whether TensorFlow's XLA compiles it: no host, and no unknown shape."""
  if keras.backend.backend() != "tensorflow":
    return False
  import tensorflow as tf

  on_tpu = isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy)
  return options.jit_compile or on_tpu


def _sampling(pixels, temperature) -> PixelSampling | None:
  """Zero pixels, the default of both fields, stand for all of them."""
  if not pixels:
    return None
  return PixelSampling(pixels=pixels, temperature=temperature)


def max_deeplab_postprocess(experiment, dataset):
  """The merging that `evaluator_options` describe.

  A function of `(prediction, size, semantic=True)`, see `MetaArchitecture`.
  """
  options = experiment.evaluator_options
  if options.transformer_post_processing == "maskwise":
    merge, thresholds = merge_maskwise, _maskwise_thresholds(options)
  else:
    merge = functools.partial(
      merge_pixelwise,
      fixed_shapes=_is_compiled_whole(experiment.trainer_options),
    )
    thresholds = _pixelwise_thresholds(options)
  return functools.partial(merge, layout=dataset.layout, thresholds=thresholds)


def _pixelwise_thresholds(options) -> PixelwiseThresholds:
  return PixelwiseThresholds(
    class_confidence=options.transformer_class_confidence_threshold,
    pixel_confidence=options.pixel_confidence_threshold,
    thing_area=options.thing_area_limit,
    stuff_area=options.stuff_area_limit,
  )


def _maskwise_thresholds(options) -> MaskwiseThresholds:
  maskwise = options.maskwise_postprocessing
  return MaskwiseThresholds(
    pixel_confidence=options.pixel_confidence_threshold,
    thing_class_confidence=(
      maskwise.transformer_class_confidence_threshold_thing
    ),
    stuff_class_confidence=(
      maskwise.transformer_class_confidence_threshold_stuff
    ),
    visible_fraction=maskwise.overlapping_threshold,
    class_weight=maskwise.reorder_class_weight,
    mask_weight=maskwise.reorder_mask_weight,
    thing_area=options.thing_area_limit,
    stuff_area=options.stuff_area_limit,
  )
