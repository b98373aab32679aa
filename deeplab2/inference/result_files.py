"""A result on disk: a map and a list as COCO has them, and a picture.

street_panoptic.png   a segment id a pixel, R + 256 G + 65536 B; 0 is void
street_segments.json  one entry of the `annotations` of a COCO result file,
                      with a name, isthing and a score for each segment
street_picture.png    the image with colours, contours and names
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from deeplab2.datasets.coco_result_writer import (
  encode_map,
  encode_png,
  number_segments,
)
from deeplab2.datasets.whole_file import whole_file, write_text
from deeplab2.inference.image_files import SUFFIXES

if TYPE_CHECKING:
  from deeplab2.inference.result import PanopticResult


class ResultFiles(NamedTuple):
  """The paths of one result."""

  panoptic: Path
  segments: Path
  picture: Path

  @classmethod
  def of(cls, path: str | os.PathLike) -> "ResultFiles":
    """From a folder and a name; the suffix of an image is left out.

    Raises:
      ValueError: it is a folder, or names nothing.
    """
    path = Path(path)
    if path.suffix.lower() in SUFFIXES:
      path = path.with_suffix("")
    if not path.name or path.is_dir():
      raise ValueError(
        "path: expected a folder and a name, such as out/street, from which "
        f"out/street_panoptic.png is made; got the folder {path}."
      )
    return cls(
      path.with_name(f"{path.name}_panoptic.png"),
      path.with_name(f"{path.name}_segments.json"),
      path.with_name(f"{path.name}_picture.png"),
    )

  @property
  def name(self) -> str:
    """What the three have in common."""
    return self.panoptic.name.removesuffix("_panoptic.png")

  def exist(self) -> bool:
    """Whether the result is there, whole."""
    return all(path.is_file() for path in self)


def write_result(result: "PanopticResult", files: ResultFiles) -> None:
  """Writes the three files, all whole; the folder is made if need be."""
  files.panoptic.parent.mkdir(parents=True, exist_ok=True)
  ids, numbered = number_segments(result.panoptic, result.dataset)
  by_id = sorted(result.segments, key=lambda segment: segment.id)
  entry = {
    "image_id": int(files.name) if files.name.isdecimal() else files.name,
    "file_name": files.panoptic.name,
    "height": ids.shape[0],
    "width": ids.shape[1],
    "segments_info": [
      coco | {"isthing": int(s.is_thing), "name": s.name, "score": s.score}
      for coco, s in zip(numbered, by_id, strict=True)
    ],
  }
  # They get their names one right after the other, the segments last.
  with (
    whole_file(files.segments, durable=False) as segments_file,
    whole_file(files.picture, durable=False) as picture_file,
    whole_file(files.panoptic, durable=False) as panoptic_file,
  ):
    segments_file.write(json.dumps(entry, indent=1).encode())
    picture_file.write(encode_png(result.plot()))
    panoptic_file.write(encode_map(ids))


def write_result_list(files: list[ResultFiles], path: Path) -> None:
  """Writes the JSON that COCO's test server and evaluation/evaluate.py read.

  Args:
    files: of results that exist.
    path: such as out/predictions.json; in the folder of the results.
  """
  entries = [json.loads(f.segments.read_text("utf-8")) for f in files]
  write_text(path, json.dumps({"annotations": entries}))
