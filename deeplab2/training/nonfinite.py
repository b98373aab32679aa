"""What a run leaves behind when its loss or gradient is not finite."""

import dataclasses
import io
import math
import os

import numpy as np
import tensorflow as tf

from deeplab2.training import files


class NonFiniteError(FloatingPointError):
  """The loss or the gradient of a step was not finite; the run stopped."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failure:
  """A step that was not taken because its numbers were not finite.

  Attributes:
    step: updates done before it; the number of its batch as well.
    terms: name -> value of the loss terms and the norm of the gradient.
    squared_norms: path of a variable -> squared length of its gradient.
    learning_rates: group -> rate that the step would have used.
  """

  step: int
  terms: dict[str, float]
  squared_norms: dict[str, float]
  learning_rates: dict[str, float]

  def describe(self, names, batch_path: str) -> str:
    """The report: step, terms, variables, learning rates, images, files."""
    bad = {n: v for n, v in self.terms.items() if not math.isfinite(v)}
    fine = {n: v for n, v in self.terms.items() if math.isfinite(v)}
    return "\n".join(
      [
        f"step {self.step}: {', '.join(bad)} not finite; training stopped, and"
        " the step was not taken.",
        f"  not finite: {_listed(bad)}",
        f"  finite: {_listed(fine)}",
        f"  gradients not finite: {self._bad_gradients()}",
        f"  learning rates: {_listed(self.learning_rates)}",
        f"  images: {', '.join(names)}",
        f"  batch saved in {batch_path}",
      ]
    )

  def _bad_gradients(self) -> str:
    bad = [p for p, v in self.squared_norms.items() if not math.isfinite(v)]
    if not bad:
      return "none"
    some = ", ".join(bad[:3]) + (", ..." if len(bad) > 3 else "")
    return f"{len(bad)} of {len(self.squared_norms)} variables: {some}"


def save_batch(path: str, batch) -> list[str]:
  """Writes a Batch as .npz; returns the names of its images.

  The arrays are named image, name, valid_size, raw_size and targets_<field>.
  """
  fields = batch._asdict()
  for name, value in fields.pop("targets")._asdict().items():
    fields[f"targets_{name}"] = value
  arrays = {name: np.asarray(value) for name, value in fields.items()}
  names = [value.decode() for value in arrays["name"]]
  arrays["name"] = np.array(names)
  content = io.BytesIO()
  np.savez_compressed(content, **arrays)
  tf.io.gfile.makedirs(os.path.dirname(path))
  files.write_whole(path, content.getvalue())
  return names


def _listed(values: dict[str, float]) -> str:
  return ", ".join(f"{n} {v:.6g}" for n, v in values.items()) or "none"
