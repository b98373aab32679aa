"""Turns splits of a COCO-panoptic folder into shards of records.

A shard appears under its name only when it is whole, so a second run does what
the first one, killed at any moment, left undone.
"""

import contextlib
import dataclasses
import functools
import math
import os
from collections.abc import Callable
from typing import NamedTuple

from deeplab2.datasets.coco import COCO_PANOPTIC
from deeplab2.datasets.coco_annotations import AnnotationError, load_annotated
from deeplab2.datasets.coco_folder import AnnotatedImage, CocoSplit
from deeplab2.datasets.conversion_files import (
  SplitSettings,
  claim_folder,
  common_dataset,
  read_json,
  write_description,
  write_json,
  write_skipped,
)
from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.label_formats import RUNS
from deeplab2.datasets.parallel import map_in_processes
from deeplab2.datasets.record_index import frame_record
from deeplab2.datasets.records import encode_example
from deeplab2.datasets.whole_file import (
  only_writer,
  remove_leftovers,
  whole_file,
)

_COCO_SHARDS = 1000
_IMAGES_A_SHARD = 100

# Called with the split's name, the images done, and the images in all.
Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConversionOptions:
  """How to convert. `num_shards` 0 chooses by the size of the split."""

  num_shards: int = 0
  crowd_as_void: bool = True
  skip_bad: bool = False  # else the first bad image stops the conversion
  label_format: str = RUNS  # one of `LABEL_FORMATS`


class ShardJob(NamedTuple):
  """A shard to write, and of what."""

  path: str
  images: tuple[AnnotatedImage, ...]


class SplitReport(NamedTuple):
  """What became of a split."""

  num_written: int
  num_shards: int
  skipped: dict[str, str]  # name of an image -> what is wrong with it


def convert_splits(
  splits: list[CocoSplit],
  output_dir: str,
  options: ConversionOptions,
  num_processes: int = 1,
  progress: Progress = lambda split, done, total: None,
) -> dict[str, SplitReport]:
  """Writes what is missing of the shards, then the dataset's description.

  Args:
    splits: what `read_split` returned.
    output_dir: folder for the records; made if missing.
    options: how.
    num_processes: 1 works in this process.
    progress: told at the start of a split and after each shard.

  Raises:
    AnnotationError: a bad image, unless bad ones are to be skipped.
    ValueError: the folder holds records that were made otherwise, or another
      program is writing there.
  """
  if not options.skip_bad:
    _stop_at_problems_in_json(splits)
  os.makedirs(output_dir, exist_ok=True)
  with only_writer(output_dir):
    try:
      return _convert(splits, output_dir, options, num_processes, progress)
    finally:
      remove_leftovers(output_dir)


def _convert(
  splits, output_dir, options, num_processes, progress
) -> dict[str, SplitReport]:
  dataset = common_dataset(splits, output_dir)
  settings = {split.name: _settings(split, options) for split in splits}
  claim_folder(output_dir, settings)
  reports = {
    split.name: _convert_split(
      split, output_dir, options, num_processes, progress
    )
    for split in splits
  }
  if dataset:
    sizes = {name: report.num_written for name, report in reports.items()}
    write_description(output_dir, dataset, sizes)
  skipped = {name: report.skipped for name, report in reports.items()}
  write_skipped(output_dir, skipped)
  return reports


def choose_num_shards(split: CocoSplit, wanted: int = 0) -> int:
  """1000 for the splits of COCO itself, as ever; else one for 100 images."""
  if wanted:
    return wanted
  num_images = len(split.images)
  is_coco = split.dataset is None or split.dataset.name == COCO_PANOPTIC.name
  if is_coco and num_images >= _COCO_SHARDS:
    return _COCO_SHARDS
  return min(_COCO_SHARDS, math.ceil(num_images / _IMAGES_A_SHARD))


def plan_shards(
  split: CocoSplit, output_dir: str, num_shards: int
) -> list[ShardJob]:
  """Cuts the images, in order, into shards; the last ones may be empty."""
  per_shard = math.ceil(len(split.images) / num_shards)
  return [
    ShardJob(
      os.path.join(
        output_dir, f"{split.name}-{i:05d}-of-{num_shards:05d}.tfrecord"
      ),
      split.images[i * per_shard : (i + 1) * per_shard],
    )
    for i in range(num_shards)
  ]


def write_shard(
  dataset: DatasetDescription | None, options: ConversionOptions, job: ShardJob
) -> int:
  """Writes one shard; it appears when it is whole.

  Returns:
    The number of images dealt with, the skipped ones included.
  """
  skipped = {}
  with whole_file(job.path) as file:
    for image in job.images:
      try:
        file.write(frame_record(_encode(image, dataset, options)))
      except AnnotationError as error:
        if not options.skip_bad:
          raise
        skipped[image.name] = str(error)
    # The list goes first: a shard that is there has its list, if it needs one.
    _keep_skip_list(job.path, skipped)
  return len(job.images)


def _encode(image, dataset, options: ConversionOptions) -> bytes:
  stored, panoptic = load_annotated(image, dataset, options.crowd_as_void)
  return encode_example(
    stored.data,
    image_format=stored.format,
    name=image.name,
    size=stored.size,
    panoptic=panoptic,
    label_format=options.label_format,
  )


def _convert_split(
  split, output_dir, options, num_processes, progress
) -> SplitReport:
  num_shards = choose_num_shards(split, options.num_shards)
  jobs = plan_shards(split, output_dir, num_shards)
  missing = [job for job in jobs if not os.path.exists(job.path)]
  total = len(split.images)
  done = total - sum(len(job.images) for job in missing)
  progress(split.name, done, total)
  work = functools.partial(write_shard, split.dataset, options)
  workers = min(num_processes, max(1, len(missing)))
  results = map_in_processes(work, missing, workers)
  with contextlib.closing(results):
    for num_images in results:
      done += num_images
      progress(split.name, done, total)
  skipped = _read_skip_lists(jobs)
  if skipped and not options.skip_bad:
    raise AnnotationError(
      f"on_error: an earlier run with skip left {len(skipped)} images of "
      f"{split.name} out, such as {min(skipped)!r}; mend them and remove the "
      f"shards of which there is a list skipped-*.json, or run with skip again."
    )
  return SplitReport(total - len(skipped), num_shards, skipped)


def _settings(split: CocoSplit, options: ConversionOptions) -> SplitSettings:
  return SplitSettings(
    num_images=len(split.images),
    num_shards=choose_num_shards(split, options.num_shards),
    treat_crowd_as_ignore=options.crowd_as_void,
    label_divisor=split.dataset.divisor if split.dataset else None,
    label_format=options.label_format,
    annotations_sha256=split.source_hash,
  )


def _stop_at_problems_in_json(splits: list[CocoSplit]):
  bad = [image for split in splits for image in split.images if image.problems]
  if bad:
    shown = [f"{image.name}: {' '.join(image.problems)}" for image in bad[:20]]
    raise AnnotationError(
      "\n  ".join([f"annotations: {len(bad)} bad images in the JSON:", *shown])
    )


def _skip_list(shard_path: str) -> str:
  """The name does not begin like the shard's, which patterns would match."""
  folder, name = os.path.split(shard_path)
  return os.path.join(folder, f"skipped-{os.path.splitext(name)[0]}.json")


def _keep_skip_list(shard_path: str, skipped: dict[str, str]):
  path = _skip_list(shard_path)
  if skipped:
    write_json(path, skipped)
  elif os.path.exists(path):
    os.remove(path)


def _read_skip_lists(jobs: list[ShardJob]) -> dict[str, str]:
  skipped = {}
  for path in (_skip_list(job.path) for job in jobs):
    if os.path.exists(path):
      skipped.update(read_json(path))
  return skipped
