"""An import plan for people: a table of counts, and lists of what is amiss."""

import itertools
import re
from collections.abc import Iterable

from deeplab2.interop.import_plan import NEW_CLASSES, ImportPlan, Misfit
from deeplab2.interop.original_keys import SUFFIX

_LIMIT = 20  # lines of a list
_FEW = 6  # layers that a line lists one by one


def table(plan: ImportPlan) -> str:
  """Variables and parameters by what becomes of them."""
  rows = [
    ("assigned", plan.assigned, plan.sizes),
    ("afresh", plan.afresh, plan.sizes),
    ("missing", plan.missing, plan.sizes),
    ("misshapen", plan.misshapen, plan.sizes),
    ("unused", plan.unused, plan.arrays),
    ("unused, allowed", plan.allowed, plan.arrays),
    ("optimizer, counters", plan.beside, plan.arrays),
  ]
  head = f"{'':<20}{'variables':>10}{'parameters':>15}"
  lines = [
    f"{title:<20}{len(members):>10,}{_total(members, sizes):>15,}"
    for title, members, sizes in rows
  ]
  return "\n".join([head, *lines])


def _total(members: Iterable[str], sizes) -> int:
  return sum(sizes[member] for member in members)


def listings(plan: ImportPlan) -> str:
  """All that stops the import, by name; empty if nothing does."""
  return (
    _listing("Missing in the file", sorted(map(str, plan.missing.values())))
    + _listing("Unexpected in the file", sorted(plan.unused))
    + _listing(
      "Of another shape",
      sorted(map(_misfit_line, plan.misshapen.values())),
    )
  )


def advice(plan: ImportPlan) -> str:
  """What to do about the `listings`, with patterns that fit them."""
  if plan.misshapen:
    return (
      "\nNothing allows another shape: the config has to be the one that the "
      "checkpoint was trained with, and the file as it was written."
    )
  lines = []
  if plan.missing:
    lines.append(
      "To start what is missing afresh, if that is meant: "
      f"--allow_missing='{_pattern(plan.missing.values())}' "
      "(in a config, initial_checkpoint_allow_missing)."
    )
  if plan.unused:
    lines.append(
      "To leave in the file what is unexpected, if that is meant: "
      f"--allow_unused='{_pattern(plan.unused)}' "
      "(in a config, initial_checkpoint_allow_unused)."
    )
  return "".join(f"\n{line}" for line in lines)


def _pattern(names: Iterable[str]) -> str:
  """What names begin with: one that is alone, or the folder of them all.

  Where they have none in common, that of the first.
  """
  names = sorted(name.removesuffix(SUFFIX) for name in names)
  if len(names) == 1:
    return re.escape(names[0])
  levels = zip(*(name.split("/") for name in names), strict=False)
  shared = itertools.takewhile(lambda level: len(set(level)) == 1, levels)
  folders = [level[0] for level in shared] or names[0].split("/")[:1]
  return re.escape("/".join(folders)) + "/"


def _misfit_line(misfit: Misfit) -> str:
  line = (
    f"{misfit.name}: {list(misfit.wanted)} in the model, "
    f"{list(misfit.found)} in the file"
  )
  return f"{line} (transposed?)" if misfit.looks_transposed else line


def _listing(title: str, lines: list[str]) -> str:
  if not lines:
    return ""
  rest = len(lines) - _LIMIT
  shown = lines[:_LIMIT] + ([f"... and {rest} more"] if rest > 0 else [])
  return f"\n{title} ({len(lines)}):\n  " + "\n  ".join(shown)


def afresh_lines(plan: ImportPlan) -> list[str]:
  """One line a reason, for what keeps the values it had."""
  return [
    f"Starts afresh {reason}: {_described(plan, reason)}."
    for reason in dict.fromkeys(plan.afresh.values())
  ]


def _described(plan: ImportPlan, reason: str) -> str:
  paths = [path for path, why in plan.afresh.items() if why == reason]
  if reason == NEW_CLASSES:
    layers = {_layer(path): plan.by_class[path] for path in paths}
    return ", ".join(
      f"{layer} ({rows.found} -> {rows.wanted})"
      for layer, rows in layers.items()
    )
  layers = list(dict.fromkeys(map(_layer, paths)))
  if len(layers) <= _FEW:
    return ", ".join(layers)
  return f"{len(paths)} variables of " + ", ".join(_parts(paths))


def _layer(path: str) -> str:
  return path.rpartition("/")[0] or path


def _parts(paths: list[str]) -> list[str]:
  """The coarse parts of the network that paths lie in, each once."""
  return list(dict.fromkeys("/".join(path.split("/")[:2]) for path in paths))
