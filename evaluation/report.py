"""Sums up a run: one table of its scores and seconds, and its curves.

  python evaluation/report.py --model_dir=runs/demo

Reads metrics.json and what TensorBoard shows; writes curves.png beside them.
"""

import json
import os
import sys

from absl import app, flags, logging

from deeplab2 import program

_MODEL_DIR = flags.DEFINE_string(
  "model_dir", None, "Directory of a run that trainer/train.py made."
)
_CURVES = flags.DEFINE_string(
  "curves", None, "Picture of the curves. Default: curves.png in --model_dir."
)

# Title -> name in the picture -> name in the history.
PANELS = {
  "loss": {"total": "train/losses/total_loss"},
  "panoptic quality": {
    "all": "eval/pq/all",
    "things": "eval/pq/things",
    "stuff": "eval/pq/stuff",
  },
}


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"expected flags only; got {argv[1:]}.")
  try:
    print(_table(_metrics()))
    print(f"\ncurves    {_paint_curves()}")
  except ValueError as error:
    sys.exit(f"error: {error}")
  pictures = os.path.join(_MODEL_DIR.value, "vis", "pictures")
  if os.path.isdir(pictures):
    print(f"pictures  {pictures}")


def _metrics():
  path = os.path.join(_MODEL_DIR.value, "metrics.json")
  if not os.path.isfile(path):
    raise ValueError(
      "model_dir: expected the directory of a finished run, with "
      f"metrics.json; got {_MODEL_DIR.value}."
    )
  with open(path, encoding="utf-8") as file:
    return json.load(file)


def _table(metrics):
  """The scores in percent, and how long training and evaluation took."""
  quality = metrics.get("eval", {}).get("panoptic_quality")
  if quality is None:
    raise ValueError(
      f"model_dir: expected a run that was evaluated; {_MODEL_DIR.value} has "
      "no scores. Run trainer/train.py with --mode=eval."
    )
  lines = [f"{'':8}{'PQ':>7}{'SQ':>7}{'RQ':>7}"]
  for name in ("all", "things", "stuff"):
    values = [quality[name][measure] for measure in ("pq", "sq", "rq")]
    lines.append(f"{name:8}" + "".join(_percent(value) for value in values))
  lines.append("")
  for name in ("training", "evaluation"):
    seconds = metrics.get(f"{name}_seconds")
    if seconds is not None:
      lines.append(f"{name:12}{seconds:8.1f} s")
  return "\n".join(lines)


def _percent(value):
  return f"{'-':>7}" if value is None else f"{100 * value:7.1f}"


def _paint_curves():
  """Paints what the run has of PANELS; returns the path."""
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  logging.set_verbosity(logging.WARNING)
  from deeplab2.training.history import read_history
  from deeplab2.visualize.learning_curve import plot_learning_curve

  names = {old: new for p in PANELS.values() for new, old in p.items()}
  records = [
    {names.get(name, name): value for name, value in record.items()}
    for record in read_history(_MODEL_DIR.value)
  ]
  there = set().union(*records)
  panels = {
    title: [name for name in panel if name in there]
    for title, panel in PANELS.items()
  }
  panels = {title: panel for title, panel in panels.items() if panel}
  if not panels:
    raise ValueError(
      "model_dir: expected curves in train/ or eval/ for TensorBoard; "
      f"{_MODEL_DIR.value} has none."
    )
  path = _CURVES.value or os.path.join(_MODEL_DIR.value, "curves.png")
  plot_learning_curve(records, panels, path)
  return path


if __name__ == "__main__":
  flags.mark_flag_as_required("model_dir")
  program.run(main)
