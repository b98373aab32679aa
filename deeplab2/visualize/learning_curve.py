"""Curves of a training: losses and qualities over the steps."""

import math
from collections.abc import Mapping, Sequence

_COLORS = ("#2563a8", "#d1662a", "#3c8d5a", "#8b5aa8", "#a83c4c", "#6b7280")
_PANEL_WIDTH, _HEIGHT = 4.6, 3.2  # inches


def plot_learning_curve(
  records: Sequence[Mapping[str, float]],
  panels: Mapping[str, Sequence[str]],
  path: str,
  x: str = "step",
) -> None:
  """Draws one panel a group of quantities, side by side, into a picture file.

  Args:
    records: what was logged, such as {"step": 100, "total_loss": 3.2}. A record
      need not have every quantity: losses and scores come at other steps.
    panels: title -> the quantities drawn in that panel.
    path: of the picture; its ending says the format, such as .png or .svg.
    x: the quantity along the horizontal axis.

  Raises:
    ValueError: a quantity occurs in no record.
  """
  # The object-oriented interface needs no display and keeps no global state.
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  series = {
    name: _series(records, x, name)
    for names in panels.values()
    for name in names
  }
  figure = Figure((_PANEL_WIDTH * len(panels), _HEIGHT), layout="constrained")
  FigureCanvasAgg(figure)
  axes = figure.subplots(1, len(panels), squeeze=False)[0]
  for axis, (title, names) in zip(axes, panels.items(), strict=True):
    _draw_panel(axis, title, x, {name: series[name] for name in names})
  figure.savefig(path, dpi=150)


def _series(records, x, name):
  """The records that have the quantity, as two lists in order of `x`."""
  points = sorted(
    (record[x], record[name])
    for record in records
    if x in record and _is_number(record.get(name))
  )
  if not points:
    known = sorted({key for record in records for key in record} - {x})
    raise ValueError(
      f"panels: expected quantities that are in the records, {known}; "
      f"got {name!r}."
    )
  return [list(values) for values in zip(*points, strict=True)]


def _is_number(value):
  return isinstance(value, int | float) and math.isfinite(value)


def _draw_panel(axis, title, x, series):
  for i, (name, (steps, values)) in enumerate(series.items()):
    axis.plot(
      steps,
      values,
      color=_COLORS[i % len(_COLORS)],
      linewidth=1.8,
      marker="o" if len(steps) <= 20 else None,
      markersize=3.5,
      label=name,
    )
  axis.set_title(title, fontsize=11, loc="left")
  axis.set_xlabel(x, fontsize=9)
  axis.tick_params(labelsize=9, length=0)
  axis.grid(color="#e5e7eb", linewidth=0.8)
  axis.set_axisbelow(True)
  for side in ("top", "right", "left"):
    axis.spines[side].set_visible(False)
  axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
  if len(series) > 1:
    axis.legend(fontsize=9, frameon=False)
