"""The datasets that have a name, and how to get any other by its file."""

import os

from deeplab2.datasets.coco import COCO_PANOPTIC
from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.shapes import SHAPES_PANOPTIC

DATASETS = {
  dataset.name: dataset for dataset in (COCO_PANOPTIC, SHAPES_PANOPTIC)
}


def load_dataset(name_or_path: str) -> DatasetDescription:
  """A dataset by its name, or by the path of its `dataset.json`.

  Args:
    name_or_path: a key of `DATASETS`, a JSON file that the converter wrote, or
      the folder that holds it.

  Raises:
    ValueError: neither a known name nor a readable description; says which
      names there are.
  """
  if name_or_path in DATASETS:
    return DATASETS[name_or_path]
  path = os.path.expanduser(name_or_path)
  if path and os.path.isdir(path):
    path = os.path.join(path, "dataset.json")
  if not os.path.isfile(path):
    raise ValueError(
      f"dataset: expected one of {sorted(DATASETS)} or the path of a "
      f"dataset.json (data/build_coco_data.py writes one beside the records); "
      f"got {name_or_path!r}."
    )
  return _read(path)


def _read(path: str) -> DatasetDescription:
  try:
    with open(path, encoding="utf-8") as file:
      return DatasetDescription.from_json(file.read())
  except (ValueError, TypeError) as error:
    raise ValueError(f"{path}: not a dataset description: {error}") from error
