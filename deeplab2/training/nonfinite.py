"""What a run leaves behind when its loss or gradient is not finite."""

import dataclasses
import io
import math
import zipfile

import numpy as np

from deeplab2.structures import Batch, Targets
from deeplab2.training import files

BATCH = "batch.npz"
_TARGETS = "targets_"


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

  @property
  def bad_terms(self) -> list[str]:
    """Names of the terms that are not finite."""
    return [n for n, v in self.terms.items() if not math.isfinite(v)]

  def describe(self, names) -> str:
    """The report: step, terms, variables, learning rates, images."""
    bad = {n: v for n, v in self.terms.items() if not math.isfinite(v)}
    fine = {n: v for n, v in self.terms.items() if math.isfinite(v)}
    return "\n".join(
      [
        f"step {self.step}: {', '.join(bad)} not finite; the step was not"
        " taken.",
        f"  not finite: {_listed(bad)}",
        f"  finite: {_listed(fine)}",
        f"  gradients not finite: {self._bad_gradients()}",
        f"  learning rates: {_listed(self.learning_rates)}",
        f"  images: {', '.join(names)}",
      ]
    )

  def _bad_gradients(self) -> str:
    bad = [p for p, v in self.squared_norms.items() if not math.isfinite(v)]
    if not bad:
      return "none"
    some = ", ".join(bad[:3]) + (", ..." if len(bad) > 3 else "")
    return f"{len(bad)} of {len(self.squared_norms)} variables: {some}"


def image_names(batch) -> list[str]:
  """The names of a batch's images."""
  return [name.decode() for name in np.asarray(batch.name).tolist()]


def save_batch(path: str, batch) -> None:
  """Writes a Batch as .npz, to be read with or without this library.

  The arrays are named image, name, valid_size, raw_size and targets_<field>.
  """
  fields = batch._asdict()
  for name, value in fields.pop("targets")._asdict().items():
    fields[_TARGETS + name] = value
  arrays = {name: np.asarray(value) for name, value in fields.items()}
  arrays["name"] = np.array(image_names(batch))
  content = io.BytesIO()
  np.savez_compressed(content, **arrays)
  files.write_whole(path, content.getvalue())


def load_batch(path: str) -> Batch:
  """The Batch that `save_batch` wrote.

  Raises:
    ValueError: it is not there, or no such file.
  """
  try:
    with np.load(path) as arrays:
      values = dict(arrays)
    targets = {f: values.pop(_TARGETS + f) for f in Targets._fields}
    names = np.array([name.encode() for name in values.pop("name").tolist()])
    return Batch(targets=Targets(**targets), name=names, **values)
  except (
    OSError,
    EOFError,
    KeyError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
  ) as error:
    raise ValueError(
      f"{path}: expected the batch of a step that was not finite; {error}."
    ) from error


def _listed(values: dict[str, float]) -> str:
  return ", ".join(f"{n} {v:.6g}" for n, v in values.items()) or "none"
