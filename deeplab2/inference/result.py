"""What a model says of one image: the map, its segments, pictures and files."""

import dataclasses
import io
import os

import numpy as np
from PIL import Image
from scipy import ndimage

from deeplab2.datasets import DatasetDescription
from deeplab2.inference.result_files import ResultFiles, write_result
from deeplab2.visualize.panoptic_picture import paint_panoptic


@dataclasses.dataclass(frozen=True)
class Segment:
  """One thing, or all the stuff of one class.

  Attributes:
    id: the segment's value in the panoptic map.
    class_id: the class as the model counts, 0..num_classes - 1.
    category_id: the class as the dataset's annotations count.
    name: the class in words.
    is_thing: whether single objects of the class are told apart.
    area: pixels.
    score: mean over its pixels of the probability of the pixel's mask times
      that of the mask's class.
    box: x, y, width, height in pixels; the smallest that holds the segment.
  """

  id: int
  class_id: int
  category_id: int
  name: str
  is_thing: bool
  area: int
  score: float
  box: tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True, eq=False)
class PanopticResult:
  """The prediction for one image, at that image's own size.

  Attributes:
    image: h w 3 uint8, what was looked at, upright.
    panoptic: h w int32; class * divisor + instance, and
      ignore_label * divisor where the model commits to nothing.
    segments: one a value in `panoptic`, void left out, largest first.
    dataset: the DatasetDescription that gives the classes their meaning.
  """

  image: np.ndarray
  panoptic: np.ndarray
  segments: tuple[Segment, ...]
  dataset: DatasetDescription

  def plot(self, opacity: float = 0.6, names: bool = True) -> np.ndarray:
    """The image with segments coloured, outlined and named, h w 3 uint8."""
    return paint_panoptic(
      self.image, self.panoptic, self.dataset, opacity, names
    )

  def save(self, path: str | os.PathLike) -> ResultFiles:
    """Writes map, segments and picture, and returns their paths.

    Args:
      path: folder and name, such as out/street, which gives
        out/street_panoptic.png, out/street_segments.json and
        out/street_picture.png (see `result_files`).

    Raises:
      ValueError: the path is a folder.
    """
    files = ResultFiles.of(path)
    write_result(self, files)
    return files

  def _repr_png_(self) -> bytes:
    """What a notebook shows."""
    buffer = io.BytesIO()
    Image.fromarray(self.plot()).save(buffer, format="PNG")
    return buffer.getvalue()


def find_segments(
  panoptic: np.ndarray, score: np.ndarray, dataset: DatasetDescription
) -> tuple[Segment, ...]:
  """The segments of a panoptic map, largest first.

  Args:
    panoptic: h w int32.
    score: h w float32, how sure the model is of each pixel.
    dataset: the DatasetDescription whose divisor, names and ids apply.
  """
  ids, labels, areas = np.unique(
    panoptic, return_inverse=True, return_counts=True
  )
  labels = labels.reshape(panoptic.shape)
  boxes = ndimage.find_objects(labels + 1)
  totals = np.bincount(labels.ravel(), weights=score.ravel())
  segments = [
    _segment(int(id_), int(area), float(total / area), box, dataset)
    for id_, area, total, box in zip(ids, areas, totals, boxes, strict=True)
    if not _is_void(id_, dataset)
  ]
  return tuple(sorted(segments, key=lambda segment: -segment.area))


def _is_void(panoptic_id: int, dataset: DatasetDescription) -> bool:
  class_id, _ = dataset.codec.decode(panoptic_id)
  return bool(class_id == dataset.ignore_label)


def _segment(
  id_: int,
  area: int,
  score: float,
  box: tuple[slice, slice],
  dataset: DatasetDescription,
) -> Segment:
  class_id, _ = dataset.codec.decode(id_)
  rows, columns = box
  return Segment(
    id=id_,
    class_id=class_id,
    category_id=dataset.category_ids[class_id],
    name=dataset.class_names[class_id],
    is_thing=class_id in dataset.thing_ids,
    area=area,
    score=score,
    box=(
      columns.start,
      rows.start,
      columns.stop - columns.start,
      rows.stop - rows.start,
    ),
  )
