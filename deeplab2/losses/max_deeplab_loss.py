"""The loss of MaX-DeepLab: five terms and their visible, weighted sum.

Wang et al., "MaX-DeepLab: End-to-End Panoptic Segmentation with Mask
Transformers", CVPR 2021, "PQ-style Loss" and "Auxiliary Losses".

Letters: b batch, h w size of the logits, p = h * w pixels, n slots, c classes.
"""

import dataclasses

import keras
from keras import ops

from deeplab2 import structures
from deeplab2.losses import (
  averages,
  instance_discrimination,
  mask_id_cross_entropy,
  mask_targets,
  matching,
  pq_style,
  sampling,
  semantic_cross_entropy,
  softmax,
)
from deeplab2.stateless_random import split_seed


@dataclasses.dataclass(frozen=True, kw_only=True)
class Term:
  """How much a term counts, and which of its pixels.

  Attributes:
    weight: factor in the total. Zero leaves the term out altogether.
    top_k_percent: fraction of the pixels, the hardest, that are averaged.
  """

  weight: float
  top_k_percent: float = 1.0

  def __post_init__(self):
    if self.weight < 0.0:
      raise ValueError(
        f"weight: expected at least 0, such as 1.0; got {self.weight}."
      )
    if not 0.0 < self.top_k_percent <= 1.0:
      raise ValueError(
        "top_k_percent: expected a fraction above 0 and up to 1, such as 0.2; "
        f"got {self.top_k_percent}."
      )

  def average(self, loss):
    """The term of each image from its losses at pixels: b p -> b."""
    return self.weight * averages.mean_of_hardest(loss, self.top_k_percent)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaXDeepLabLoss:
  """`MaskPrediction, Targets -> dict` of loss terms, one value an image.

  The terms are weighted already, and `total_loss` is their sum. Nothing is
  averaged over the batch. All arithmetic is float32, whatever comes in.

  Attributes:
    layout: which class each channel of the class logits stands for.
    pq_style_weight: factor on both halves of the PQ-style loss.
    mask_id: the mask-ID cross entropy.
    instance: the instance discrimination.
    semantic: the auxiliary semantic cross entropy.
    positive_weight: within the PQ-style loss, factor on matched slots; slots
      without a mask have one minus it.
    instance_temperature: divides the cosines of the instance discrimination.
    instance_sampling: compares sampled pixels with each other, as CMT-DeepLab
      does, instead of thing pixels with the means of masks.
    semantic_sampling: averages the semantic loss over sampled pixels.
    solver: of the matching: "host"; "compiled" for XLA and TPUs; "original" to
      agree with recordings of the original library. See `matching`.
  """

  layout: structures.ClassLayout
  pq_style_weight: float = 3.0
  mask_id: Term = Term(weight=0.3)
  instance: Term = Term(weight=1.0)
  semantic: Term = Term(weight=1.0)
  positive_weight: float = 0.75
  instance_temperature: float = 0.3
  instance_sampling: sampling.PixelSampling | None = None
  semantic_sampling: sampling.PixelSampling | None = None
  solver: str = "host"

  def __post_init__(self):
    matching.check_solver(self.solver)
    if not 0.0 <= self.positive_weight <= 1.0:
      raise ValueError(
        "positive_weight: expected 0 to 1, such as 0.75; "
        f"got {self.positive_weight}."
      )
    if not any(self._weights()):
      raise ValueError(
        "pq_style_weight, mask_id, instance, semantic: expected one weight at "
        f"least above 0; got {self._weights()}."
      )

  def __call__(self, prediction, targets, seed=None):
    """The weighted terms and their sum.

    Args:
      prediction: MaskPrediction; `semantic_logits` may be None where the
        semantic term has the weight zero.
      targets: Targets, at the size of the logits or of the image.
      seed: as in `stateless_random`, for the sampled forms; a step of training
        has its own.
        None draws the same pixels at every call, as an evaluation wants it.

    Returns:
      name -> b  float32.

    Raises:
      ValueError: sizes that no stride connects, channels that are not the
        layout's, or semantic logits that are wanted and missing.
    """
    self._check(prediction)
    targets = mask_targets.stride_targets(
      targets, tuple(prediction.mask_logits.shape[1:3])
    )
    masks = mask_targets.mask_targets(
      targets, self.layout, drop_absent=self._shapes_may_vary()
    )
    instance_seed, semantic_seed = split_seed(
      (0, 0) if seed is None else seed, 2
    )
    terms = {}
    if self.pq_style_weight or self.mask_id.weight:
      terms |= self._slot_terms(prediction, masks)
    if self.instance.weight:
      terms |= self._instance_term(prediction, masks, instance_seed)
    if self.semantic.weight:
      terms |= self._semantic_term(prediction, targets, masks, semantic_seed)
    return {**terms, "total_loss": sum(terms.values())}

  def _slot_terms(self, prediction, masks):
    """The terms that rest on the matching of masks to slots."""
    mask_logits = _pixels(prediction.mask_logits)  # b p n
    class_logits = ops.cast(prediction.class_logits, "float32")  # b n c
    probability = softmax.softmax(mask_logits)
    areas = pq_style.slot_areas(mask_logits, probability, masks)
    match = pq_style.match_slots(
      probability, areas, class_logits, masks, self.solver
    )
    entropy = mask_id_cross_entropy.mask_id_cross_entropy(
      mask_logits, probability, match.slot, masks.mask_id
    )
    terms = {}
    if self.pq_style_weight:
      terms["pq_style_loss_class_term"] = self.pq_style_weight * (
        pq_style.class_term(
          class_logits, areas, masks, match, self.positive_weight
        )
      )
      # The class term is a mean over slots of which the matched ones have the
      # positive weight. The other half of the product has the same measure.
      share = self.positive_weight / class_logits.shape[1]
      terms["pq_style_loss_mask_dice_term"] = (self.pq_style_weight * share) * (
        pq_style.mask_term(ops.exp(-entropy), areas, masks, match)
      )
    if self.mask_id.weight:
      terms["mask_id_cross_entropy_loss"] = self.mask_id.average(entropy)
    return terms

  def _instance_term(self, prediction, masks, seed):
    features = _pixels(prediction.pixel_features)
    if self.instance_sampling is None:
      loss = instance_discrimination.mask_discrimination(
        features, masks, self.instance_temperature
      )
    else:
      loss = instance_discrimination.pixel_discrimination(
        features, masks, self.instance_sampling, seed, self.instance_temperature
      )
    return {"instance_discrimination_loss": self.instance.average(loss)}

  def _semantic_term(self, prediction, targets, masks, seed):
    logits = _pixels(prediction.semantic_logits)
    label = _pixels(targets.semantic, "int32")
    weight = _pixels(targets.semantic_weight)
    if self.semantic_sampling is not None:
      index = sampling.sample_pixels(
        self.semantic_sampling,
        mask_targets.region_area(masks),
        masks.labelled,
        seed,
      )
      logits, label, weight = (
        sampling.gather_pixels(x, index) for x in (logits, label, weight)
      )
    loss = semantic_cross_entropy.semantic_cross_entropy(
      logits, label, weight, self.layout.ignore_label
    )
    return {"semantic_loss": self.semantic.average(loss)}

  def _shapes_may_vary(self):
    """Whether shapes may depend on values, as the fewest masks would."""
    return self.solver == "host" and keras.backend.backend() != "jax"

  def _weights(self):
    terms = self.mask_id, self.instance, self.semantic
    return (self.pq_style_weight, *(term.weight for term in terms))

  def _check(self, prediction):
    channels = prediction.class_logits.shape[-1]
    if channels != self.layout.num_channels:
      raise ValueError(
        "prediction.class_logits: expected the layout's "
        f"{self.layout.num_channels} channels; got {channels}."
      )
    if self.semantic.weight and prediction.semantic_logits is None:
      raise ValueError(
        "prediction.semantic_logits: expected logits for a semantic term of "
        f"weight {self.semantic.weight}; got None."
      )


def _pixels(maps, dtype="float32"):
  """Flattens height and width: b h w ... -> b p ..."""
  height, width = ops.shape(maps)[1:3]
  maps = ops.reshape(maps, (-1, height * width, *maps.shape[3:]))
  return ops.cast(maps, dtype)
