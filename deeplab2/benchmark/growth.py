"""How cost grows with one quantity, as a picture.

Both axes are logarithmic: what grows in proportion to the work rises like the
grey line, whatever it costs, and what grows faster crosses it.
"""

from collections.abc import Iterable, Mapping, Sequence

from deeplab2.benchmark.jobs import Job

VARIED = ("size", "batch", "slots")
_LABELS = {
  "size": "height and width of the image, pixels",
  "batch": "images of a call",
  "slots": "mask slots",
}
_PANELS = {
  "seconds of a call": lambda result: result["median"],
  "memory it adds, MB": lambda result: result["added_bytes"] / 1e6,
}
_COLORS = ("#2563a8", "#d1662a", "#3c8d5a", "#8b5aa8", "#a83c4c", "#6b7280")


def check_varied(jobs: Sequence[Job]) -> str:
  """The one quantity that the jobs differ in.

  Raises:
    ValueError: none, or more than one, is varied.
  """
  varied = [
    name for name in VARIED if len({getattr(job, name) for job in jobs}) > 1
  ]
  if len(varied) != 1:
    raise ValueError(
      "picture: expected several values of one of size, batch and slots, such "
      f"as --size=129,321,641; got several of {varied or 'none'}."
    )
  return varied[0]


def plot_growth(results: Iterable[tuple[Job, Mapping]], path: str) -> None:
  """Draws time and memory of each part over what is varied.

  Args:
    results: jobs and what `worker.measure` returned for them; those without
      times are left out.
    path: of the picture; its ending says the format, such as .png or .svg.

  Raises:
    ValueError: not one quantity is varied, or nothing was timed.
  """
  # The object-oriented interface needs no display and keeps no global state.
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  timed = [(job, result) for job, result in results if "median" in result]
  if not timed:
    raise ValueError("picture: expected parts that are timed; got none.")
  varied = check_varied([job for job, _ in timed])
  figure = Figure((9.2, 3.6), layout="constrained")
  FigureCanvasAgg(figure)
  panels = zip(figure.subplots(1, len(_PANELS)), _PANELS.items(), strict=True)
  for axis, (title, quantity) in panels:
    lines = _lines(timed, varied, quantity)
    _draw(axis, title, varied, lines)
  figure.savefig(path, dpi=150)


def _lines(timed, varied, quantity) -> dict[str, list[tuple[float, float]]]:
  """Points of each part, in order; what is too little to see is left out."""
  lines = {}
  for job, result in timed:
    name = f"{job.part}, {job.precision}, {job.mode}"
    lines.setdefault(name, []).append((getattr(job, varied), quantity(result)))
  return {
    name: sorted(point for point in points if point[1] > 0)
    for name, points in lines.items()
  }


def _draw(axis, title, varied, lines):
  for i, (name, points) in enumerate(lines.items()):
    axis.plot(
      *zip(*points, strict=True) if points else ([], []),
      color=_COLORS[i % len(_COLORS)],
      linewidth=1.8,
      marker="o",
      markersize=3.5,
      label=name,
    )
  _draw_proportion(axis, varied, lines)
  axis.set(xscale="log", yscale="log", xlabel=_LABELS[varied])
  places = sorted({x for points in lines.values() for x, _ in points})
  axis.set_xticks(places, [str(place) for place in places])
  axis.minorticks_off()
  axis.set_title(title, fontsize=11, loc="left")
  axis.tick_params(labelsize=9, length=0)
  axis.grid(color="#e5e7eb", linewidth=0.8)
  for side in ("top", "right", "left"):
    axis.spines[side].set_visible(False)
  axis.legend(fontsize=8, frameon=False)


def _draw_proportion(axis, varied, lines):
  """A line through the first point of the first part, as the work grows."""
  points = next((points for points in lines.values() if points), None)
  if points is None:
    return
  (start, cost), (end, _) = points[0], points[-1]
  power = 2 if varied == "size" else 1
  axis.plot(
    (start, end),
    (cost, cost * (end / start) ** power),
    color="#9ca3af",
    linewidth=1,
    linestyle="dashed",
    label=f"in proportion to {'pixels' if varied == 'size' else varied}",
  )
