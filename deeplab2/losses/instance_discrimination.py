"""Pixel features that agree within a mask and differ between masks.

Letters: b batch, p pixels, k ground-truth masks, d channels, s samples.
"""

from keras import ops

from deeplab2.losses import mask_targets, sampling, softmax

MASKED_OUT = -99999.0


def mask_discrimination(pixel_features, targets, temperature=0.3):
  """Cross entropy of thing pixels against the mean features of the masks.

  Every pixel chooses among all masks of its image, stuff included, by the
  cosine to their mean features; pixels of stuff have no loss of their own.
  Paper: MaX-DeepLab, "Auxiliary Losses".

  Args:
    pixel_features: b p d  float32 of unit length over d.
    targets: MaskTargets.
    temperature: divides the cosines.

  Returns:
    b p  float32; zero where the pixel belongs to no thing.
  """
  means = _mean_features(pixel_features, targets)
  cosine = ops.einsum("bpd,bkd->bpk", pixel_features, means)
  logits = ops.where(
    ops.expand_dims(targets.present, 1), cosine / temperature, MASKED_OUT
  )
  label = ops.where(targets.is_thing, targets.mask_id, -1)
  return softmax.cross_entropy(logits, label)


def pixel_discrimination(
  pixel_features, targets, samples, seed, temperature=0.3
):
  """Cross entropy between the similarities of sampled pixels and the truth.

  The truth of a pixel is spread evenly over the sampled pixels of its mask,
  itself included. Pixels without a mask are drawn last and have no loss.
  Paper: CMT-DeepLab, "Pixel-wise Contrastive Loss".

  Args:
    pixel_features: b p d  float32 of unit length over d.
    targets: MaskTargets.
    samples: PixelSampling.
    seed: int32 pair.
    temperature: divides the cosines.

  Returns:
    b s  float32; zero where the sampled pixel has no mask.
  """
  area = mask_targets.region_area(targets)
  index = sampling.sample_pixels(samples, area, targets.has_mask, seed)
  same = _same_mask(sampling.gather_pixels(targets.mask_id, index))
  truth = same / ops.maximum(ops.sum(same, axis=-1, keepdims=True), 1.0)
  features = sampling.gather_pixels(pixel_features, index)
  cosine = ops.einsum("bid,bjd->bij", features, features)
  log_probability = ops.log_softmax(cosine / temperature, axis=-1)
  return -ops.sum(truth * log_probability, axis=-1)


def _mean_features(pixel_features, targets):
  """Unit vectors along the mean feature of each mask; zero if absent: b k d."""
  total = ops.einsum("bpk,bpd->bkd", targets.masks, pixel_features)
  mean = total / ops.expand_dims(ops.maximum(targets.area, 1.0), 2)
  square = ops.sum(ops.square(mean), axis=-1, keepdims=True)
  return mean * ops.rsqrt(ops.maximum(square, 1e-12))


def _same_mask(mask_id):
  """Whether two samples belong to one mask: b s -> b s s  float32."""
  same = ops.expand_dims(mask_id, 2) == ops.expand_dims(mask_id, 1)
  has_mask = ops.expand_dims(mask_id >= 0, 2)
  return ops.cast(ops.logical_and(same, has_mask), "float32")
