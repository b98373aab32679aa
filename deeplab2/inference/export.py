"""Export: a SavedModel that was compared with the model before it appears."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deeplab2 import backend
from deeplab2.inference import saved_model
from deeplab2.inference.model_folder import appearing_whole, check_output_path
from deeplab2.inference.preprocessing import InputFit
from deeplab2.inference.trained_model import TrainedModel
from deeplab2.inference.whole_image import WholeImage
from deeplab2.training import files

# Less than this share of equal pixels is another model, not rounding.
LEAST_EQUAL = 0.999

_TIMED_CALLS = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportReport:
  """What the comparison of a SavedModel with its Keras model found.

  Attributes:
    equal: share of pixels with the same panoptic id, of the worst image.
    score_difference: largest difference of a score.
    first_seconds: of the SavedModel's first call, which prepares it.
    seconds: median of later calls of the SavedModel, one image each.
    keras_seconds: the same of the Keras model, called eagerly.
    megabytes: size of the folder.
  """

  equal: float
  score_difference: float
  first_seconds: float
  seconds: float
  keras_seconds: float
  megabytes: float

  def __str__(self) -> str:
    return (
      f"{self.equal:.4%} of the pixels as in the Keras model, scores within "
      f"{self.score_difference:.1e}; {self.seconds:.3f} s an image (first "
      f"{self.first_seconds:.1f} s, Keras {self.keras_seconds:.3f} s); "
      f"{self.megabytes:.0f} MB."
    )


def export_saved_model(
  trained: TrainedModel,
  path: str | Path,
  *,
  images: Sequence[np.ndarray] = (),
  full_size: bool = False,
  raw_outputs: bool = False,
  overwrite: bool = False,
) -> ExportReport:
  """Writes a SavedModel, loads it again and compares; then it appears whole.

  Args:
    trained: what to export.
    path: the folder to make.
    images: to compare on, h w 3 uint8; by default one that is drawn.
    full_size: run the model at the size of the image, not at the crop size.
    raw_outputs: see `WholeImage`.
    overwrite: replace a SavedModel that is there.

  Raises:
    ValueError: something is there already, or TensorFlow does not compute.
    RuntimeError: the SavedModel does not say what the Keras model says.
    NotWrittenError: there is no room, or another reason.
  """
  backend.require_tensorflow("an export")
  path = Path(path)
  check_output_path(path, overwrite)
  fit = InputFit.from_experiment(trained.experiment, full_size)
  whole_image = WholeImage(trained.architecture, fit, raw_outputs)
  dataset = trained.architecture.dataset
  with appearing_whole(path) as folder:
    with files.writing(str(path)):
      saved_model.write_saved_model(
        whole_image, dataset, trained.experiment, folder
      )
    report = compare(whole_image, folder, images or [draw_test_image(fit)])
    if report.equal < LEAST_EQUAL:
      raise RuntimeError(
        f"export: the SavedModel and the Keras model disagree: {report}"
      )
  return report


def compare(
  whole_image: WholeImage, folder: str | Path, images: Sequence[np.ndarray]
) -> ExportReport:
  """Runs a SavedModel and the model it was saved from on the same images."""
  call = saved_model.read_saved_model(folder)
  started = time.perf_counter()
  call(images[0])
  first_seconds = time.perf_counter() - started
  pairs = [(call(x), whole_image.compute(x[None])) for x in images]
  return ExportReport(
    equal=min(_equal_share(*pair) for pair in pairs),
    score_difference=max(_score_difference(*pair) for pair in pairs),
    first_seconds=first_seconds,
    seconds=_median_seconds(lambda: call(images[0])),
    keras_seconds=_median_seconds(lambda: whole_image.compute(images[0][None])),
    megabytes=_megabytes(Path(folder)),
  )


def draw_test_image(fit: InputFit) -> np.ndarray:
  """Coloured blocks under noise, a little smaller than what the model sees."""
  height, width = fit.crop_size or (257, 257)
  rng = np.random.default_rng(0)
  blocks = rng.integers(0, 256, (8, 8, 3)).repeat(-(-height // 8), axis=0)
  blocks = blocks.repeat(-(-width // 8), axis=1)[: height - 5, : width - 3]
  noisy = blocks + rng.normal(0, 8, blocks.shape)
  return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def _equal_share(served: dict[str, Any], direct: dict[str, Any]) -> float:
  name = "panoptic_pred"
  return float(np.mean(served[name].numpy() == direct[name].numpy()))


def _score_difference(served: dict[str, Any], direct: dict[str, Any]) -> float:
  return max(
    float(np.abs(served[name].numpy() - direct[name].numpy()).max())
    for name in ("instance_scores", "semantic_scores")
  )


def _median_seconds(call: Callable[[], Any]) -> float:
  seconds = []
  for _ in range(_TIMED_CALLS):
    started = time.perf_counter()
    call()
    seconds.append(time.perf_counter() - started)
  return statistics.median(seconds)


def _megabytes(folder: Path) -> float:
  return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6
