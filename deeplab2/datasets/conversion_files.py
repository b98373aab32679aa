"""The small files that lie beside the records, and what they guard.

dataset.json      the classes, for configs to name
conversion.json   what the shards were made from; another make is refused
skipped.json      images left out, and why
"""

import dataclasses
import json
import os

from deeplab2.datasets.coco_folder import CocoSplit
from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.whole_file import write_text

DESCRIPTION_FILE = "dataset.json"
SETTINGS_FILE = "conversion.json"
SKIPPED_FILE = "skipped.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitSettings:
  """What determines the shards of a split; errors name these fields."""

  num_images: int
  num_shards: int
  treat_crowd_as_ignore: bool
  label_divisor: int | None
  label_format: str
  annotations_sha256: str


def common_dataset(
  splits: list[CocoSplit], output_dir: str
) -> DatasetDescription | None:
  """The description that all splits, and earlier runs, agree on."""
  found = [(split.name, split.dataset) for split in splits if split.dataset]
  known = _read_description(output_dir)
  if known:
    path = os.path.join(output_dir, DESCRIPTION_FILE)
    found.insert(0, (path, known.with_split_sizes({})))
  for where, dataset in found[1:]:
    if dataset != found[0][1]:
      raise ValueError(
        f"categories: expected the same name, divisor and classes in all "
        f"splits; those of {where} are not those of {found[0][0]}."
      )
  return found[0][1] if found else None


def claim_folder(output_dir: str, settings: dict[str, SplitSettings]):
  """Writes down what the shards are made from, or refuses if that changed.

  Args:
    output_dir: folder of the records; it exists.
    settings: of each split that is to be converted.
  """
  path = os.path.join(output_dir, SETTINGS_FILE)
  known = read_json(path) if os.path.exists(path) else {}
  for split, wanted in settings.items():
    wanted = dataclasses.asdict(wanted)
    if split in known:
      _refuse_changes(output_dir, split, known[split], wanted)
    elif _has_shards(output_dir, split):
      raise ValueError(
        f"output_dir: {output_dir} holds {split} records that this program "
        f"did not begin; choose another folder."
      )
    known[split] = wanted
  write_json(path, known)


def write_description(
  output_dir: str, dataset: DatasetDescription, sizes: dict[str, int]
):
  """Writes dataset.json; sizes of splits converted earlier stay in it."""
  known = _read_description(output_dir)
  if known:
    sizes = {**known.split_sizes, **sizes}
  path = os.path.join(output_dir, DESCRIPTION_FILE)
  write_text(path, dataset.with_split_sizes(sizes).to_json())


def write_skipped(output_dir: str, skipped: dict[str, dict[str, str]]):
  """Writes skipped.json; splits that were not converted now stay in it.

  Args:
    output_dir: folder of the records.
    skipped: split -> name of an image -> what is wrong with it.
  """
  path = os.path.join(output_dir, SKIPPED_FILE)
  lists = read_json(path) if os.path.exists(path) else {}
  lists = {name: names for name, names in {**lists, **skipped}.items() if names}
  if lists:
    write_json(path, lists)
  elif os.path.exists(path):
    os.remove(path)


def read_json(path: str):
  """Content of a JSON file of ours.

  Raises:
    ValueError: somebody broke it; names it.
  """
  try:
    with open(path, encoding="utf-8") as file:
      content = json.load(file)
  except (ValueError, RecursionError) as error:
    raise ValueError(f"{path}: not JSON: {error}; remove it.") from error
  if not isinstance(content, dict):
    raise ValueError(f"{path}: expected a JSON object; remove it.")
  return content


def write_json(path: str, content):
  """Writes a JSON file that is there whole or not at all."""
  write_text(path, json.dumps(content, indent=2) + "\n")


def _read_description(output_dir: str) -> DatasetDescription | None:
  path = os.path.join(output_dir, DESCRIPTION_FILE)
  if not os.path.exists(path):
    return None
  with open(path, encoding="utf-8") as file:
    return DatasetDescription.from_json(file.read())


def _refuse_changes(output_dir: str, split: str, known: dict, wanted: dict):
  changes = [
    f"{key} was {known.get(key)}, is {value}"
    for key, value in wanted.items()
    if known.get(key) != value
  ]
  if changes:
    raise ValueError(
      f"output_dir: {output_dir} holds {split} records of another make "
      f"({'; '.join(changes)}); choose another folder or remove the records."
    )


def _has_shards(output_dir: str, split: str) -> bool:
  return any(
    name.startswith(f"{split}-") and name.endswith(".tfrecord")
    for name in os.listdir(output_dir)
  )
