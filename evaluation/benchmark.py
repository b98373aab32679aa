"""Measures what a config costs: arithmetic, time, memory, part by part.

  python evaluation/benchmark.py --config_file=max_deeplab_s --size=641 \
    --parts=model,machine,prediction,train_step --output_json=figures.json

Every figure is taken in a process of its own. `--against` runs another program
in turn with each and prints ratios above 1 where this one is better:

  python evaluation/benchmark.py --config_file=max_deeplab_s --size=641 \
    --parts=prediction --against='python peer.py {part} {size} {repeats}'

which may print as its last line {"seconds": [...]}, a time for each call, and
beside it "first_call", in seconds, and "added_bytes".
"""

import json
import os
import platform
import sys

from absl import app, flags

from deeplab2 import program
from deeplab2.benchmark import jobs
from deeplab2.config import program_flags

program_flags.define_experiment_flags()
_PARTS = flags.DEFINE_list(
  "parts",
  [jobs.MODEL, jobs.MACHINE, "network", "prediction", "postprocess", "loss"],
  f"Some of {', '.join(jobs.PARTS)}.",
)
_SIZE = flags.DEFINE_list(
  "size", [], "Heights and widths of images; by default the config's crop size."
)
_BATCH = flags.DEFINE_list("batch", ["1"], "Numbers of images of a call.")
_SLOTS = flags.DEFINE_list(
  "slots", [], "Numbers of mask slots; by default the config's."
)
_REPEATS = flags.DEFINE_integer(
  "repeats", 7, "Calls that are timed, after a first one."
)
_PRECISIONS = flags.DEFINE_list(
  "precisions", ["float32"], f"Some of {', '.join(jobs.PRECISIONS)}."
)
_MODES = flags.DEFINE_list(
  "modes",
  [jobs.GRAPH],
  f"Some of {', '.join(jobs.MODES)}: TensorFlow's own kernels, or XLA's.",
)
_BACKEND = flags.DEFINE_enum(
  "backend",
  None,
  ["tensorflow", "jax", "torch"],
  "What computes; by default what KERAS_BACKEND says, or else TensorFlow. The "
  "others run the parts network, prediction and train_step without its update.",
)
_AGAINST = flags.DEFINE_string(
  "against",
  None,
  "Command of another program; {part}, {size}, {batch}, {repeats}, {precision} "
  "and {mode} are filled in.",
)
_ROUNDS = flags.DEFINE_integer(
  "rounds", 3, "Runs of each side, where there is another.", lower_bound=1
)
_TIMEOUT = flags.DEFINE_float(
  "timeout", 1800, "Seconds after which a measurement is given up.", 1
)
_PAGE = flags.DEFINE_string(
  "page", None, "A Markdown page to put the figures into; see --page_block."
)
_PAGE_BLOCK = flags.DEFINE_string(
  "page_block",
  None,
  "Name of the place: what is between <!-- figures: NAME --> and <!-- end --> "
  "is replaced.",
)
_PICTURE = flags.DEFINE_string(
  "picture",
  None,
  "Where to draw how time and memory grow with what --size, --batch or --slots "
  "names several of, or where the time goes if operations is one of the parts; "
  "such as growth.png.",
)
_OUTPUT_JSON = flags.DEFINE_string(
  "output_json", None, "Where to write all figures, in seconds and bytes."
)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"expected flags only; got {argv[1:]}.")
  try:
    _check_output()
    if _BACKEND.value:
      os.environ["KERAS_BACKEND"] = _BACKEND.value  # of all that is started
    work = _plan()
    measure = _measure if _AGAINST.value is None else _compete
    found, text = measure(work)
    _fill_page(text)
  except ValueError as error:
    sys.exit(f"error: {error}")
  if _OUTPUT_JSON.value:
    with open(_OUTPUT_JSON.value, "w", encoding="utf-8") as file:
      json.dump({"machine": _machine(), "results": found}, file, indent=2)
    print(f"\nfigures: {_OUTPUT_JSON.value}")
  if _PICTURE.value:
    _draw(
      [(job, entry["result"]) for job, entry in zip(work, found, strict=True)]
    )
  if any("error" in entry["result"] for entry in found):
    sys.exit(1)


def _plan() -> list[jobs.Job]:
  """All measurements that the flags ask for; raises ValueError early."""
  from deeplab2.benchmark.growth import check_varied
  from deeplab2.benchmark.plan import Choice, plan_jobs
  from deeplab2.config import load_experiment

  config = (flags.FLAGS.config_file, tuple(flags.FLAGS.set))
  searched = ("train",) if "input" in _PARTS.value else False
  experiment = load_experiment(*config, search_files=searched)
  crop_size = experiment.train_dataset_options.crop_size
  choice = Choice(
    parts=tuple(_PARTS.value),
    sizes=_integers(_SIZE) or tuple(crop_size[:1]),
    batches=_integers(_BATCH),
    slots=_integers(_SLOTS) or (None,),
    precisions=tuple(_PRECISIONS.value),
    modes=tuple(_MODES.value),
    repeats=_REPEATS.value,
  )
  work = plan_jobs(*config, choice)
  if _PICTURE.value and _AGAINST.value is not None:
    raise ValueError(
      f"picture: expected none with --against; got {_PICTURE.value}."
    )
  if _PICTURE.value and not _draws_operations(work):
    check_varied([job for job in work if job.part in jobs.TIMED])
  return work


def _draws_operations(work) -> bool:
  return any(job.part == jobs.OPERATIONS for job in work)


def _integers(flag) -> tuple[int, ...]:
  try:
    return tuple(int(value) for value in flag.value)
  except ValueError as error:
    raise ValueError(
      f"{flag.name}: expected whole numbers, such as 321,641; "
      f"got {','.join(flag.value)}."
    ) from error


def _measure(work: list[jobs.Job]) -> tuple[list[dict], str]:
  """Results for the JSON, and as a table."""
  from deeplab2.benchmark.processes import run_job
  from deeplab2.benchmark.report import format_results

  results = []
  for job in work:
    _say(job)
    results.append((job, run_job(job, _TIMEOUT.value).result()))
  text = format_results(results)
  print(text)
  found = [{"job": vars(job), "result": result} for job, result in results]
  return found, text


def _compete(work: list[jobs.Job]) -> tuple[list[dict], str]:
  """The same of a contest."""
  from deeplab2.benchmark.report import format_contest
  from deeplab2.benchmark.rivalry import compete

  results, tables = [], []
  for job in work:
    if job.part in jobs.TIMED:
      _say(job)
      contest = compete(job, _AGAINST.value, _ROUNDS.value, _TIMEOUT.value)
      results.append({"job": vars(job), "result": contest.to_dict()})
      tables.append(format_contest(job, results[-1]["result"]))
      print(tables[-1], flush=True)
  if not results:
    raise ValueError(
      f"parts: expected some of {', '.join(jobs.TIMED)} with --against; "
      f"got {','.join(_PARTS.value)}."
    )
  return results, "\n\n".join(tables)


def _fill_page(text: str):
  if _PAGE.value:
    from deeplab2.benchmark.page import fill_page

    fill_page(_PAGE.value, _PAGE_BLOCK.value, text)


def _draw(results: list[tuple[jobs.Job, dict]]):
  """Comes last: what was measured is written, if some of it failed or not."""
  from deeplab2.benchmark.growth import plot_growth
  from deeplab2.benchmark.operations import plot_operations

  work = [job for job, _ in results]
  plot = plot_operations if _draws_operations(work) else plot_growth
  try:
    plot(results, _PICTURE.value)
  except ValueError as error:
    sys.exit(f"error: {error}")
  print(f"\npicture: {_PICTURE.value}")


def _say(job: jobs.Job):
  """What is being measured, for who watches; not part of the output."""
  fields = [job.part, job.size, job.batch, job.slots, job.precision, job.mode]
  what = ", ".join(str(field) for field in fields if field is not None)
  print(f"{what} ...", file=sys.stderr)


def _machine() -> dict:
  return {
    "system": platform.platform(),
    "python": platform.python_version(),
    "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
    "cores": len(os.sched_getaffinity(0))
    if hasattr(os, "sched_getaffinity")
    else os.cpu_count(),
    "load": os.getloadavg()[0],
  }


def _check_output():
  for flag in (_OUTPUT_JSON, _PICTURE):
    path = flag.value
    if path and not os.path.isdir(os.path.dirname(os.path.abspath(path))):
      raise ValueError(
        f"{flag.name}: expected a path in an existing folder; got {path}."
      )
  if _PAGE.value:
    from deeplab2.benchmark.page import check_page

    check_page(_PAGE.value, _PAGE_BLOCK.value)


if __name__ == "__main__":
  program.run(main)
