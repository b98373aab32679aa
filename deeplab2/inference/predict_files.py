"""Predicts many image files, and goes on over those that are none."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from deeplab2.inference.predictor import Predictor
from deeplab2.inference.result_files import ResultFiles, write_result_list


@dataclasses.dataclass
class PredictionReport:
  """What became of each image.

  Attributes:
    done: the results that are there now, in the order of the images.
    present: how many of them were there before and were left.
    failed: path -> why, of images without a result.
    seconds: time of each image that was predicted.
  """

  done: list[ResultFiles] = dataclasses.field(default_factory=list)
  present: int = 0
  failed: dict[Path, str] = dataclasses.field(default_factory=dict)
  seconds: list[float] = dataclasses.field(default_factory=list)


def predict_files(
  predictor: Predictor,
  images: Mapping[str, Path],
  folder: Path,
  *,
  skip_bad: bool = False,
  skip_existing: bool = False,
  progress: Callable[[Iterable], Iterable] = iter,
) -> PredictionReport:
  """Saves a result for each image, and a list of all of them.

  Args:
    predictor: says what is in an image.
    images: name -> path, as `find_image_files` gives them.
    folder: for the results and `predictions.json`, their list in COCO's form.
    skip_bad: go on where a file is no image, instead of raising.
    skip_existing: leave results that are there, whichever model made them.
    progress: wraps the images while they are gone through, as tqdm does.

  Raises:
    ValueError, FileNotFoundError: a file is no image, and `skip_bad` is off.
  """
  report = PredictionReport()
  result_list = folder / "predictions.json"
  for name, path in progress(images.items()):
    files = ResultFiles.of(folder / f"{name}.png")
    if skip_existing and files.exist():
      report.present += 1
      report.done.append(files)
      continue
    started = time.perf_counter()
    try:
      result = predictor(path)
    except (ValueError, FileNotFoundError) as error:
      if not skip_bad:
        raise
      report.failed[path] = str(error)
      continue
    # It would list a map that is about to be replaced.
    result_list.unlink(missing_ok=True)
    report.done.append(result.save(folder / f"{name}.png"))
    report.seconds.append(time.perf_counter() - started)
  if report.done:
    write_result_list(report.done, result_list)
  return report
