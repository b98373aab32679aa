"""Draws the synthetic shapes set, in COCO's own on-disk layout.

  python data/build_shapes_data.py --output_dir=shapes --num_train=2000

Then `data/build_coco_data.py --coco_root=shapes` turns it into records.
"""

import sys

from absl import app, flags

from deeplab2 import program

_OUTPUT_DIR = flags.DEFINE_string(
  "output_dir", None, "Folder for images and annotations; made if missing."
)
_NUM_TRAIN = flags.DEFINE_integer(
  "num_train", 2000, "Images to train on.", lower_bound=1
)
_NUM_VAL = flags.DEFINE_integer(
  "num_val", 200, "Images to score on.", lower_bound=1
)
_SIZE = flags.DEFINE_integer(
  "size", 129, "Pixels of an image's longer side.", 33, 4097
)
_SEED = flags.DEFINE_integer(
  "seed", 0, "Another seed, another set of images.", lower_bound=0
)
_NUM_PROCESSES = flags.DEFINE_integer(
  "num_processes", 0, "Processes; 0 takes one a core.", lower_bound=0
)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"expected flags only; got {argv[1:]}.")
  try:
    _draw()
  except (ValueError, OSError) as error:
    sys.exit(f"error: {error}")


def _draw():
  from tqdm import tqdm

  from deeplab2.datasets.parallel import usable_cores
  from deeplab2.datasets.shapes.folder import ShapesSplit, write_split

  for split, count in (("train", _NUM_TRAIN.value), ("val", _NUM_VAL.value)):
    plan = ShapesSplit(
      split=split, num_images=count, size=_SIZE.value, seed=_SEED.value
    )
    path = write_split(
      _OUTPUT_DIR.value,
      plan,
      num_processes=_NUM_PROCESSES.value or usable_cores(),
      progress=lambda images, total, split=split: tqdm(
        images, total=total, desc=split, unit="image", disable=None
      ),
    )
    print(f"{split}: {count} images, {path}")


if __name__ == "__main__":
  flags.mark_flag_as_required("output_dir")
  program.run(main, "the same command starts the split again")
