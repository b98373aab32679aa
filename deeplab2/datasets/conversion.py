"""Turns splits of a COCO-panoptic folder into shards of records.

A shard appears under its name only when it is whole, so a second run does what
the first one, killed at any moment, left undone. `conversion.json` keeps what
the shards were made from: a run that would mix two makes is refused.
"""

import dataclasses
import functools
import json
import math
import os
from typing import NamedTuple

from deeplab2.datasets.coco import COCO_PANOPTIC
from deeplab2.datasets.coco_annotations import AnnotationError, load_annotated
from deeplab2.datasets.coco_folder import AnnotatedImage, CocoSplit
from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.parallel import map_in_processes
from deeplab2.datasets.record_index import frame_record
from deeplab2.datasets.records import encode_example

DESCRIPTION_FILE = "dataset.json"
SETTINGS_FILE = "conversion.json"
SKIPPED_FILE = "skipped.json"

_COCO_SHARDS = 1000
_IMAGES_A_SHARD = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConversionOptions:
  """How to convert. `num_shards` 0 chooses by the size of the split."""

  num_shards: int = 0
  crowd_as_void: bool = True
  skip_bad: bool = False  # else the first bad image stops the conversion


class ShardJob(NamedTuple):
  path: str
  images: tuple[AnnotatedImage, ...]


class ShardReport(NamedTuple):
  num_images: int  # the bad ones included
  skipped: dict[str, str]  # name -> what is wrong


class SplitReport(NamedTuple):
  num_written: int
  num_shards: int
  skipped: dict[str, str]


def choose_num_shards(split: CocoSplit, wanted: int = 0) -> int:
  """1000 for the splits of COCO itself, as ever; else one for 100 images."""
  if wanted:
    return wanted
  num_images = len(split.images)
  is_coco = split.dataset is None or split.dataset.name == COCO_PANOPTIC.name
  if is_coco and num_images >= _COCO_SHARDS:
    return _COCO_SHARDS
  return min(_COCO_SHARDS, math.ceil(num_images / _IMAGES_A_SHARD))


def convert_splits(
  splits: list[CocoSplit],
  output_dir: str,
  options: ConversionOptions,
  num_processes: int = 1,
  progress=None,
) -> dict[str, SplitReport]:
  """Writes what is missing of the shards, then the dataset's description.

  Args:
    splits: what `read_split` returned.
    output_dir: folder for the records; made if missing.
    options: how.
    num_processes: 1 works in this process.
    progress: called as `progress(split name, images done, images in all)`.

  Raises:
    AnnotationError: a bad image, unless bad ones are to be skipped.
    ValueError: the folder holds records that were made otherwise.
  """
  if not options.skip_bad:
    _stop_at_problems_in_json(splits)
  dataset = _common_dataset(splits, output_dir)
  os.makedirs(output_dir, exist_ok=True)
  _claim_folder(splits, output_dir, options)
  reports = {}
  for split in splits:
    reports[split.name] = _convert_split(
      split, output_dir, options, num_processes, progress
    )
  if dataset:
    sizes = {name: report.num_written for name, report in reports.items()}
    _write_description(output_dir, dataset, sizes)
  _write_skipped(output_dir, reports)
  return reports


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
) -> ShardReport:
  """Writes one shard under a temporary name and renames it when it is whole."""
  skipped = {}
  temporary = f"{job.path}.part"
  with open(temporary, "wb") as file:
    for image in job.images:
      try:
        stored, panoptic = load_annotated(image, dataset, options.crowd_as_void)
      except AnnotationError as error:
        if not options.skip_bad:
          raise
        skipped[image.name] = str(error)
        continue
      example = encode_example(
        stored.data,
        image_format=stored.format,
        name=image.name,
        size=stored.size,
        panoptic=panoptic,
      )
      file.write(frame_record(example))
  if skipped:
    _write_json(_skip_list(job.path), skipped)
  os.replace(temporary, job.path)
  return ShardReport(len(job.images), skipped)


def _convert_split(split, output_dir, options, num_processes, progress):
  num_shards = choose_num_shards(split, options.num_shards)
  jobs = plan_shards(split, output_dir, num_shards)
  missing = [job for job in jobs if not os.path.exists(job.path)]
  left = sum(len(job.images) for job in missing)
  done = len(split.images) - left
  work = functools.partial(write_shard, split.dataset, options)
  workers = min(num_processes, max(1, len(missing)))
  if progress:
    progress(split.name, done, len(split.images))
  for report in map_in_processes(work, missing, workers):
    done += report.num_images
    if progress:
      progress(split.name, done, len(split.images))
  skipped = _read_skip_lists(jobs)
  if skipped and not options.skip_bad:
    raise AnnotationError(
      f"on_error: an earlier run with skip left {len(skipped)} images of "
      f"{split.name} out, such as {min(skipped)!r}; mend them and remove the "
      f"shards that have a .skipped.json, or run with skip again."
    )
  return SplitReport(len(split.images) - len(skipped), num_shards, skipped)


def _stop_at_problems_in_json(splits: list[CocoSplit]):
  bad = [image for split in splits for image in split.images if image.problems]
  if bad:
    shown = "\n  ".join(f"{b.name}: {' '.join(b.problems)}" for b in bad[:20])
    raise AnnotationError(f"{len(bad)} bad entries in the JSON:\n  {shown}")


def _common_dataset(splits, output_dir: str) -> DatasetDescription | None:
  """The description that all splits, and earlier runs, agree on."""
  found = [(split.name, split.dataset) for split in splits if split.dataset]
  path = os.path.join(output_dir, DESCRIPTION_FILE)
  if os.path.exists(path):
    with open(path, encoding="utf-8") as file:
      known = DatasetDescription.from_json(file.read())
    found.insert(0, (path, known.with_split_sizes({})))
  for where, dataset in found[1:]:
    if dataset != found[0][1]:
      raise ValueError(
        f"categories: expected the same in all splits; those of {where} are "
        f"not those of {found[0][0]}."
      )
  return found[0][1] if found else None


def _claim_folder(splits, output_dir: str, options: ConversionOptions):
  """Writes down what the shards are made from, or refuses if that changed."""
  path = os.path.join(output_dir, SETTINGS_FILE)
  known = {}
  if os.path.exists(path):
    with open(path, encoding="utf-8") as file:
      known = json.load(file)
  for split in splits:
    settings = _settings(split, options)
    if split.name in known:
      _refuse_changes(output_dir, split.name, known[split.name], settings)
    elif _has_shards(output_dir, split.name):
      raise ValueError(
        f"output_dir: {output_dir} holds {split.name} records that this "
        f"program did not begin; choose another folder."
      )
    known[split.name] = settings
  _write_json(path, known)


def _settings(split: CocoSplit, options: ConversionOptions) -> dict:
  return {
    "num_images": len(split.images),
    "num_shards": choose_num_shards(split, options.num_shards),
    "treat_crowd_as_ignore": options.crowd_as_void,
    "label_divisor": split.dataset.divisor if split.dataset else None,
    "annotations_sha256": split.source_hash,
  }


def _refuse_changes(output_dir: str, split: str, known: dict, wanted: dict):
  keys = sorted({*known, *wanted})
  changes = [
    f"{key} was {known.get(key)}, is {wanted.get(key)}"
    for key in keys
    if known.get(key) != wanted.get(key)
  ]
  if changes:
    raise ValueError(
      f"output_dir: {output_dir} holds {split} records of another make "
      f"({'; '.join(changes)}); choose another folder or remove the records."
    )


def _has_shards(output_dir: str, split: str) -> bool:
  names = os.listdir(output_dir)
  return any(
    n.startswith(f"{split}-") and n.endswith(".tfrecord") for n in names
  )


def _write_description(output_dir: str, dataset, sizes: dict[str, int]):
  path = os.path.join(output_dir, DESCRIPTION_FILE)
  if os.path.exists(path):
    with open(path, encoding="utf-8") as file:
      known = DatasetDescription.from_json(file.read())
    sizes = {**known.split_sizes, **sizes}
  _write_text(path, dataset.with_split_sizes(sizes).to_json())


def _write_skipped(output_dir: str, reports: dict[str, SplitReport]):
  """Keeps the list of every split; of those not converted now, as it was."""
  path = os.path.join(output_dir, SKIPPED_FILE)
  lists = {}
  if os.path.exists(path):
    with open(path, encoding="utf-8") as file:
      lists = json.load(file)
  lists.update({name: report.skipped for name, report in reports.items()})
  if any(lists.values()):
    _write_json(path, lists)


def _skip_list(shard_path: str) -> str:
  return f"{os.path.splitext(shard_path)[0]}.skipped.json"


def _read_skip_lists(jobs: list[ShardJob]) -> dict[str, str]:
  skipped = {}
  for job in jobs:
    path = _skip_list(job.path)
    if os.path.exists(path):
      with open(path, encoding="utf-8") as file:
        skipped.update(json.load(file))
  return skipped


def _write_json(path: str, content):
  _write_text(path, json.dumps(content, indent=2) + "\n")


def _write_text(path: str, text: str):
  temporary = f"{path}.part"
  with open(temporary, "w", encoding="utf-8") as file:
    file.write(text)
  os.replace(temporary, path)
