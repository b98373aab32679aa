"""Results as a table to read; the JSON beside it holds the same and more."""

from collections.abc import Iterable, Mapping

from deeplab2.benchmark.jobs import MACHINE, MODEL, OPERATIONS, Job

_HEAD = (
  "part",
  "precision",
  "mode",
  "size",
  "batch",
  "slots",
  "median",
  "quartiles",
  "images/s",
  "first call",
  "from start",
  "peak",
  "added",
)
_RIVAL_HEAD = ("part", "precision", "mode", "what", "ours", "theirs", "ratio")
_RIVAL_ROWS = {
  "call": "a call",
  "first_call": "the first call",
  "process": "the process",
  "added_bytes": "memory of the calls",
  "peak_bytes": "peak memory",
}


def format_results(results: Iterable[tuple[Job, Mapping]]) -> str:
  """Tables of what was measured, and of what could not be.

  Args:
    results: jobs and what `worker.measure` returned for them.
  """
  results = list(results)
  flops = {
    job.precision: result["matmul_flops"]
    for job, result in results
    if job.part == MACHINE and "matmul_flops" in result
  }
  blocks, rows, notes = [], [], []
  for job, result in results:
    if "error" in result:
      blocks.append(f"{_name(job)}: {result['error']}")
    elif job.part == MODEL:
      blocks.append(_model(job, result))
    elif job.part == OPERATIONS:
      blocks.append(_operations(job, result["operations"]))
    elif job.part == MACHINE:
      notes.append(_machine(job, result))
    else:
      rows.append(_timed(job, result))
  if rows:
    blocks.insert(0, format_table(_HEAD, rows))
  notes += _shares(results, flops)
  if notes:
    blocks.append("\n".join(f"- {note}" for note in notes))
  return "\n\n".join(blocks)


def format_contest(job: Job, found: Mapping) -> str:
  """A table of both sides and their ratios."""
  if "error" in found:
    return f"{_name(job)}: {found['error']}"
  rows = []
  for key, label in _RIVAL_ROWS.items():
    if key in found:
      show = _bytes if key.endswith("bytes") else _seconds
      sides = (show(found[key]["ours"]), show(found[key]["theirs"]))
      ratio = f"{found[key]['ratio']:.2f}x"
      rows.append((job.part, job.precision, job.mode, label, *sides, ratio))
  return format_table(_RIVAL_HEAD, rows)


def format_table(head, rows) -> str:
  """Columns as wide as they need to be: a Markdown table."""
  cells = [tuple(map(str, row)) for row in (head, *rows)]
  widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
  lines = [
    "| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells
  ]
  rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
  return "\n".join([lines[0], rule, *lines[1:]])


def _timed(job: Job, result: Mapping) -> tuple:
  low, high = result["quartiles"]
  return (
    job.part,
    job.precision,
    job.mode,
    job.size,
    job.batch,
    job.slots or "",
    _seconds(result["median"]),
    f"{_seconds(low)} .. {_seconds(high)}",
    _digits(result["images_per_second"]),
    _seconds(result["first_call"]),
    _seconds(result["first_since_start"]),
    _bytes(result["peak_bytes"]),
    _bytes(result["added_bytes"]),
  )


def _model(job: Job, result: Mapping) -> str:
  rows = []
  for name, part in result["parts"].items():
    kinds = part["multiply_adds"]
    rows.append((name, part["parameters"], kinds))
  kinds = sorted({kind for _, _, found in rows for kind in found})
  table = [
    (
      name,
      f"{parameters:,}",
      *(_giga(found.get(kind, 0)) for kind in kinds),
      _giga(sum(found.values())),
    )
    for name, parameters, found in rows
  ]
  head = ("part", "parameters", *kinds, "multiply-adds (G)")
  return (
    f"{format_table(head, table)}\n\n"
    f"{result['parameters']:,} parameters; at {job.size} x {job.size} "
    f"{_giga(result['multiply_adds'])} G multiply-adds, of which a prediction "
    f"needs {_giga(result['multiply_adds_of_prediction'])} G"
  )


def _operations(job: Job, seconds: Mapping[str, float]) -> str:
  total = sum(seconds.values())
  rows = [
    (kind, _seconds(value), f"{value / total:.0%}")
    for kind, value in seconds.items()
  ]
  return (
    f"{_name(job)}:\n\n{format_table(('operation', 'time', 'share'), rows)}"
  )


def _machine(job: Job, result: Mapping) -> str:
  return (
    f"this machine: {result['matmul_flops'] / 1e9:.0f} GFLOP/s in "
    f"{job.precision} products of matrices; "
    f"{result['copied_bytes'] / 1e9:.1f} GB/s copied"
  )


def _shares(results, flops: Mapping[str, float]):
  """How near predictions come to the products that the machine can do."""
  useful = {
    job.size: 2 * result["multiply_adds_of_prediction"]
    for job, result in results
    if job.part == MODEL and "error" not in result
  }
  for job, result in results:
    predicts = job.part in ("network", "prediction") and "median" in result
    if predicts and job.size in useful:
      reached = useful[job.size] * result["images_per_second"]
      line = f"{_name(job)}: {reached / 1e9:.0f} GFLOP/s"
      if job.precision in flops:
        line += f", {reached / flops[job.precision]:.0%} of the machine's"
      yield line


def _name(job: Job) -> str:
  slots = f", {job.slots} slots" if job.slots else ""
  variant = f"{job.precision}, {job.mode}, {job.size}, b{job.batch}{slots}"
  return f"{job.part} ({variant})"


def _seconds(value: float) -> str:
  if value < 0.9995:
    return f"{_digits(1000 * value)} ms"
  return f"{_digits(value)} s"


def _digits(value: float) -> str:
  """Three digits, or all in front of the point."""
  return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"


def _bytes(value: float) -> str:
  return f"{value / 2**30:.2f} GiB"


def _giga(value: int) -> str:
  return f"{value / 1e9:.2f}"
