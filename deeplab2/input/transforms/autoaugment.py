"""AutoAugment's colour policies (Cubuk et al., CVPR 2019, reduced operations).

A policy is a list of pairs of steps. One pair is drawn for an image, and each
of its two steps happens with its own probability. The label is untouched.
"""

import functools
from typing import NamedTuple

import tensorflow as tf

from deeplab2.input.transforms import color_ops
from deeplab2.structures import Sample


class Step(NamedTuple):
  """One colour operation: how often, and how strong on a scale to 10."""

  operation: str
  probability: float
  level: float


Policy = tuple[tuple[Step, Step], ...]

SIMPLE: Policy = (
  (Step("sharpness", 0.4, 7), Step("brightness", 0.2, 10)),
  (Step("equalize", 0.0, 9), Step("contrast", 0.2, 10)),
  (Step("sharpness", 0.2, 9), Step("color", 0.2, 9)),
  (Step("solarize", 0.2, 7), Step("equalize", 0.6, 9)),
  (Step("sharpness", 0.2, 1), Step("equalize", 0.2, 7)),
)


def _with_levels_scaled(policy: Policy, factor: float) -> Policy:
  return tuple(
    tuple(step._replace(level=step.level * factor) for step in pair)
    for pair in policy
  )


POLICIES: dict[str, Policy] = {
  "simple_classification_policy": SIMPLE,
  "simple_classification_policy_magnitude_scale_0.2": _with_levels_scaled(
    SIMPLE, 0.2
  ),
}


def find_policy(name: str) -> Policy:
  """A policy by its name in configs; the error lists the names."""
  if name not in POLICIES:
    raise ValueError(
      f"autoaugment_policy_name: expected one of {sorted(POLICIES)}; "
      f"got {name!r}."
    )
  return POLICIES[name]


def random_colors(sample: Sample, policy: Policy, seed: tf.Tensor) -> Sample:
  """Changes the image's colours by one pair of the policy, drawn at random."""
  pair_seed, *step_seeds = tf.unstack(tf.random.split(seed, 3))
  pair = tf.random.stateless_uniform(
    [], pair_seed, maxval=len(policy), dtype=tf.int32
  )
  image = tf.saturate_cast(tf.round(sample.image), tf.uint8)
  branches = [
    functools.partial(_apply, image, steps, step_seeds) for steps in policy
  ]
  image = tf.switch_case(pair, branches)
  return sample._replace(image=tf.cast(image, tf.float32))


def _apply(image: tf.Tensor, steps: tuple[Step, ...], seeds) -> tf.Tensor:
  for step, seed in zip(steps, seeds, strict=True):
    happens = tf.random.stateless_uniform([], seed) < step.probability
    image = tf.cond(
      happens,
      functools.partial(apply_step, image, step),
      functools.partial(tf.identity, image),
    )
  return image


def apply_step(image: tf.Tensor, step: Step) -> tf.Tensor:
  """One operation at the strength that its level means.  h w 3  uint8"""
  share = step.level / 10
  if step.operation in ("color", "contrast", "brightness", "sharpness"):
    return getattr(color_ops, step.operation)(image, 0.1 + 1.8 * share)
  if step.operation == "solarize":
    return color_ops.solarize(image, int(256 * share))
  if step.operation == "posterize":
    # No bits at all would leave a black image.
    return color_ops.posterize(image, max(int(4 * share), 1))
  if step.operation in ("autocontrast", "equalize", "invert"):
    return getattr(color_ops, step.operation)(image)
  raise ValueError(f"operation: not a colour operation: {step.operation!r}.")
