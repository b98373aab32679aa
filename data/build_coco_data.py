"""Turns a folder in COCO's panoptic layout into TFRecords.

  python data/build_coco_data.py --coco_root=coco --output_dir=coco_records

Interrupted, it goes on where it was when run again. Beside the records it
writes `dataset.json`, the description that a config names as its dataset.
"""

import os
import sys

from absl import app, flags

from deeplab2 import program

_COCO_ROOT = flags.DEFINE_string(
  "coco_root", None, "Folder with train2017, val2017, annotations and so on."
)
_OUTPUT_DIR = flags.DEFINE_string(
  "output_dir", None, "Folder for the records; made if missing."
)
_SPLITS = flags.DEFINE_list(
  "splits", None, "Some of train, val, test; by default all that are there."
)
_CROWD_AS_IGNORE = flags.DEFINE_boolean(
  "treat_crowd_as_ignore",
  True,
  "Whether a crowd of things becomes void; else it keeps its class, with "
  "instance id 0.",
)
_ON_ERROR = flags.DEFINE_enum(
  "on_error",
  "fail",
  ["fail", "skip"],
  "What to do with a bad image: stop, or leave it out and list it.",
)
_NUM_SHARDS = flags.DEFINE_integer(
  "num_shards",
  0,
  "Files a split; 0 takes 1000 for COCO, else one for every 100 images.",
  0,
  99999,
)
_NUM_PROCESSES = flags.DEFINE_integer(
  "num_processes", 0, "Processes; 0 takes one a core.", lower_bound=0
)
_LABEL_DIVISOR = flags.DEFINE_integer(
  "label_divisor",
  256,
  "One more than the largest number of things of a class in an image.",
  lower_bound=2,
)
_LABEL_FORMAT = flags.DEFINE_enum(
  "label_format",
  "runs",
  ["runs", "raw"],
  "Form of the panoptic maps, both without loss: runs take a hundredth of the "
  "bytes; raw is what google-research/deeplab2 reads.",
)
_DATASET_NAME = flags.DEFINE_string(
  "dataset_name", None, "Name in dataset.json; by default that of coco_root."
)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"expected flags only; got {argv[1:]}.")
  try:
    reports = _convert()
  except (ValueError, OSError) as error:
    sys.exit(f"error: {error}")
  for split, report in reports.items():
    print(
      f"{split}: {report.num_written} images in {report.num_shards} shards, "
      f"{len(report.skipped)} skipped"
    )
  if any(report.skipped for report in reports.values()):
    print(f"skipped images: {os.path.join(_OUTPUT_DIR.value, 'skipped.json')}")


def _convert():
  from deeplab2.datasets.coco_folder import find_splits, read_split
  from deeplab2.datasets.conversion import ConversionOptions, convert_splits
  from deeplab2.datasets.parallel import usable_cores

  root = _COCO_ROOT.value
  name = _DATASET_NAME.value or os.path.basename(os.path.abspath(root))
  splits = []
  for split in find_splits(root, _SPLITS.value):
    splits.append(read_split(root, split, name, _LABEL_DIVISOR.value))
    if splits[-1].unlisted:
      print(f"{split}: {splits[-1].unlisted} images are not in the JSON")
  options = ConversionOptions(
    num_shards=_NUM_SHARDS.value,
    crowd_as_void=_CROWD_AS_IGNORE.value,
    skip_bad=_ON_ERROR.value == "skip",
    label_format=_LABEL_FORMAT.value,
  )
  with _ProgressBars() as bars:
    return convert_splits(
      splits,
      _OUTPUT_DIR.value,
      options,
      num_processes=_NUM_PROCESSES.value or usable_cores(),
      progress=bars.show,
    )


class _ProgressBars:
  """One bar a split; it opens with the first news of the split."""

  def __init__(self):
    self._bars = {}

  def __enter__(self):
    return self

  def __exit__(self, *error):
    for bar in self._bars.values():
      bar.close()

  def show(self, split: str, done: int, total: int):
    from tqdm import tqdm

    if split not in self._bars:
      # `initial` keeps images of an earlier run out of the rate.
      self._bars[split] = tqdm(
        desc=split, total=total, initial=done, unit="image", disable=None
      )
    self._bars[split].update(done - self._bars[split].n)


if __name__ == "__main__":
  flags.mark_flags_as_required(["coco_root", "output_dir"])
  program.run(main, "the same command goes on where this one stopped")
