"""Checks records, says what is in them, and paints some of them.

  python data/inspect_tfrecords.py --file_pattern='records/train*' \
    --dataset=records/dataset.json --sheet=samples.png

With a config instead of the two, the sheet also shows what training will see:

  python data/inspect_tfrecords.py --config_file=max_deeplab_tiny \
    --set DATA_DIR=records --sheet=samples.png

With --check it says nothing but what is wrong, of both data sets of a config:

  python data/inspect_tfrecords.py --check --config_file=max_deeplab_tiny \
    --set DATA_DIR=records --report_json=report.json

Ends with status 1 if a record is bad.
"""

import json
import os
import sys
from typing import Any, NamedTuple

from absl import app, flags

from deeplab2 import program

_FILE_PATTERN = flags.DEFINE_list(
  "file_pattern", None, "TFRecord files; glob patterns, separated by commas."
)
_DATASET = flags.DEFINE_string(
  "dataset", None, "Name of a dataset, or path of a dataset.json."
)
_CONFIG_FILE = flags.DEFINE_string(
  "config_file", None, "A config whose training data is to be inspected."
)
_SET = flags.DEFINE_multi_string(
  "set", [], "path.to.field=value or NAME=value, as in trainer/train.py."
)
_CHECK = flags.DEFINE_boolean(
  "check", False, "Say only what is wrong, without statistics."
)
_REPORT_JSON = flags.DEFINE_string(
  "report_json", None, "Where to write what is wrong for other programs too."
)
_SHEET = flags.DEFINE_string("sheet", None, "PNG file to paint samples into.")
_NUM_SAMPLES = flags.DEFINE_integer(
  "num_samples", 6, "Rows of the sheet.", 1, 100
)
_NUM_PROCESSES = flags.DEFINE_integer(
  "num_processes", 0, "Processes; 0 takes one a core.", lower_bound=0
)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"expected flags only; got {argv[1:]}.")
  try:
    good = _check() if _CHECK.value else _inspect()
  except (ValueError, OSError) as error:
    sys.exit(f"error: {error}")
  sys.exit(0 if good else 1)


def _check() -> bool:
  """Says which records are bad; whether none is."""
  from deeplab2.datasets.inspection_report import describe_bad

  _check_outputs()
  reports = {}
  for split, source in _sources(("train", "eval")).items():
    found = _look(source)
    reports[split] = found
    head = f"{split}: " if _CONFIG_FILE.value else ""
    print(f"{head}{found.num_records} records, {len(found.bad)} bad")
    for text in (describe_bad(found), _crowding(found, source)):
      if text:
        print(text)
  _write_report(reports)
  return not any(found.bad for found in reports.values())


def _inspect() -> bool:
  """Says what is in the records, bad ones included; whether none is."""
  from deeplab2.datasets.inspection_report import describe, describe_bad

  _check_outputs()
  ((split, source),) = _sources(("train",)).items()
  found = _look(source)
  print(describe(found, source.dataset))
  if crowding := _crowding(found, source):
    print(crowding)
  if found.bad:
    print(f"\nBad records:\n{describe_bad(found)}")
  _write_report({split: found})
  if _SHEET.value:
    _paint_sheet(found, source)
  return not found.bad


def _check_outputs():
  for name, ending in (("sheet", ".png"), ("report_json", ".json")):
    path = flags.FLAGS[name].value
    if not path:
      continue
    folder = os.path.dirname(path) or "."
    if not path.endswith(ending) or not os.path.isdir(folder):
      raise ValueError(
        f"{name}: expected a {ending} file in a folder that is there; "
        f"got {path!r}."
      )


class _Source(NamedTuple):
  """What to read, of which classes, and what training would do with it."""

  options: Any  # DatasetOptions, or just its file_pattern
  dataset: Any  # DatasetDescription
  seed: int
  max_segments: int | None  # masks of the model; None without a config


def _sources(splits) -> dict[str, _Source]:
  """By split; without a config there is only one."""
  import types

  from deeplab2.config import load_experiment
  from deeplab2.datasets import load_dataset

  given = [bool(_FILE_PATTERN.value), bool(_DATASET.value)]
  if _CONFIG_FILE.value and not any(given):
    experiment = load_experiment(
      _CONFIG_FILE.value, _SET.value, search_files=splits
    )
    all_options = {
      split: getattr(experiment, f"{split}_dataset_options") for split in splits
    }
    return {
      split: _Source(
        options,
        load_dataset(options.dataset),
        experiment.trainer_options.seed,
        experiment.model_options.backbone.num_mask_slots,
      )
      for split, options in all_options.items()
    }
  if _CONFIG_FILE.value or not all(given):
    raise ValueError(
      "expected either --config_file, or both --file_pattern and --dataset."
    )
  options = types.SimpleNamespace(file_pattern=_FILE_PATTERN.value)
  source = _Source(options, load_dataset(_DATASET.value), 0, None)
  return {splits[0]: source}


def _look(source: _Source):
  from tqdm import tqdm

  from deeplab2.datasets.inspection import inspect_files
  from deeplab2.datasets.parallel import usable_cores
  from deeplab2.datasets.record_index import matching_files

  files = matching_files(source.options.file_pattern)
  processes = _NUM_PROCESSES.value or usable_cores()
  with tqdm(desc="records", unit="record", disable=None) as bar:

    def progress(done: int, total: int):
      bar.total = total
      bar.update(done - bar.n)

    return inspect_files(files, source.dataset, processes, progress)


def _crowding(found, source: _Source) -> str:
  """What the limits of the config leave out; "" without a config."""
  from deeplab2.datasets.inspection_report import describe_crowding

  if source.max_segments is None:
    return ""
  return describe_crowding(
    found, source.options.max_thing_id, source.max_segments
  )


def _write_report(reports):
  from deeplab2.datasets.inspection_report import to_dict
  from deeplab2.datasets.whole_file import write_text

  if _REPORT_JSON.value:
    content = {split: to_dict(found) for split, found in reports.items()}
    write_text(_REPORT_JSON.value, json.dumps(content, indent=2) + "\n")


def _paint_sheet(found, source: _Source):
  from deeplab2.datasets.record_index import RecordIndex, matching_files

  if found.bad or not found.num_labelled:
    print("\nNo sheet: it takes labelled records of which none is bad.")
    return
  index = RecordIndex.from_files(matching_files(source.options.file_pattern))
  rows = _stored(index)
  if _CONFIG_FILE.value:
    rows = _stored_and_augmented(index, found.names, source)
  _paint(rows, source.dataset)


def _stored(index):
  """Samples spread evenly over the records, one picture a row."""
  step = max(1, len(index) // _NUM_SAMPLES.value)
  numbers = range(0, len(index), step)[: _NUM_SAMPLES.value]
  pictures = [_stored_picture(index, number) for number in numbers]
  return [[picture] for picture in pictures if picture.panoptic is not None]


def _stored_picture(index, number):
  from deeplab2.datasets.inspection import read_plain
  from deeplab2.visualize.sample_sheet import Picture

  record = read_plain(index.read(number))
  return Picture(record.image, record.panoptic)


def _stored_and_augmented(index, names, source: _Source):
  """The first samples of training, each beside the record it comes from."""
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
  import numpy as np

  from deeplab2.input.pipeline import train_batches
  from deeplab2.visualize.sample_sheet import Picture

  number_of = {name: number for number, name in enumerate(names)}
  rows = []
  for batch in train_batches(source.options, source.dataset, source.seed):
    images = np.clip(np.rint(batch.image.numpy()), 0, 255).astype(np.uint8)
    for i, name in enumerate(batch.name.numpy()):
      stored = _stored_picture(index, number_of[name.decode()])
      augmented = Picture(images[i], batch.targets.panoptic[i].numpy())
      rows.append([stored, augmented])
    if len(rows) >= _NUM_SAMPLES.value:
      return rows[: _NUM_SAMPLES.value]


def _paint(rows, dataset):
  from PIL import Image

  from deeplab2.datasets.whole_file import whole_file
  from deeplab2.visualize.sample_sheet import sample_sheet

  sheet = sample_sheet(rows, dataset)
  with whole_file(_SHEET.value) as file:
    Image.fromarray(sheet).save(file, format="PNG")
  print(f"\nSamples: {_SHEET.value}")


if __name__ == "__main__":
  program.run(main)
