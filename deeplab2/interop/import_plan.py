"""Which variable of a model gets which array of a checkpoint.

The plan is a value: it is made before anything is read or assigned, can be
printed, and says of every variable and every array what becomes of it.
"""

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from deeplab2.interop.key_layouts import KeyLayout, layout_of

Shape = tuple[int, ...]

NEW_CLASSES = "for other classes"
NOT_PRETRAINED = "beyond a pretrained backbone"
AS_ASKED = "as asked"


class Misfit(NamedTuple):
  """A variable whose array has another shape."""

  name: str  # in the file
  wanted: Shape
  found: Shape

  @property
  def looks_transposed(self) -> bool:
    """Whether the same extents come in another order.

    A kernel that is transposed and square has the right shape: nothing tells
    it from a right one.
    """
    return sorted(self.wanted) == sorted(self.found)


class ClassRows(NamedTuple):
  """A variable that starts afresh because its last axis counts classes."""

  name: str  # in the file
  wanted: int  # classes of the model
  found: int  # classes in the file


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exceptions:
  """Where the rule "every variable from the array of its name" does not hold.

  All are patterns of beginnings: of paths of the model, or of names in the
  file, as the lists of what is amiss have them.

  Attributes:
    afresh: keep the values they have, whatever the file holds; paths only.
    missing: may be missing in the file, and then keep their values.
    unused: may be in the file without being of the model; names only.
  """

  afresh: tuple[str, ...] = ()
  missing: tuple[str, ...] = ()
  unused: tuple[str, ...] = ()

  def __post_init__(self):
    for kind, patterns in dataclasses.asdict(self).items():
      for pattern in patterns:
        try:
          re.compile(pattern)
        except re.error as error:
          raise ValueError(
            f"what may be {kind}: expected a regular expression, such as "
            f"'semantic_decoder/'; got '{pattern}', {error}."
          ) from error


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImportPlan:
  """What becomes of each variable (by its path) and each array (by its name).

  Attributes:
    layout: of the file.
    sizes: path -> parameters, of all variables.
    arrays: name -> parameters, of all arrays.
    assigned: path -> name in the file.
    afresh: path -> reason why it keeps the value it has.
    missing: path -> name that the file lacks.
    misshapen: path -> Misfit.
    unused: names in the file that nothing explains.
    allowed: names in the file that nobody wants, as a pattern allows.
    beside: names in the file of optimizer slots, counters and the like.
    by_class: path -> ClassRows, of those that are afresh for other classes.
  """

  layout: KeyLayout
  sizes: Mapping[str, int]
  arrays: Mapping[str, int]
  assigned: Mapping[str, str]
  afresh: Mapping[str, str]
  missing: Mapping[str, str]
  misshapen: Mapping[str, Misfit]
  unused: tuple[str, ...]
  allowed: tuple[str, ...]
  beside: tuple[str, ...]
  by_class: Mapping[str, ClassRows]

  @property
  def unexplained(self) -> bool:
    """Whether something stops the import."""
    return bool(self.missing or self.misshapen or self.unused)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelLayout:
  """What a plan has to know of a model.

  Attributes:
    shapes: path -> shape, of all variables.
    backbone: paths of what a pretrained classifier has as well.
    class_paths: paths of the variables with a row for each class, in their
      last axis.
  """

  shapes: Mapping[str, Shape]
  backbone: frozenset[str] = frozenset()
  class_paths: frozenset[str] = frozenset()


def plan_import(
  model: ModelLayout,
  file: Mapping[str, Shape],
  exceptions: Exceptions | None = None,
  *,
  carry_over: bool = False,
) -> ImportPlan:
  """Matches a model with a file.

  Args:
    model: its variables.
    file: name -> shape of all arrays in the file.
    exceptions: to the rule that everything must fit.
    carry_over: whether rows of classes will be carried over: then no
      class-dependent variable is assigned as a whole.
  """
  return _Planner(model, file, exceptions or Exceptions(), carry_over).plan()


class _Planner:
  def __init__(self, model, file, exceptions, carry_over):
    self.model = model
    self.file = file
    self.exceptions = exceptions
    self.carry_over = carry_over
    self.layout = layout_of(file)
    self.names = {path: self.layout.name_of(path) for path in model.shapes}
    self.pretrained = self._is_pretrained_backbone()

  def plan(self) -> ImportPlan:
    fates = {path: self._fate(path) for path in self.model.shapes}
    afresh = _of_kind(fates, "afresh")
    strangers = sorted(set(self.file) - set(self.names.values()))
    beside = [name for name in strangers if self.layout.is_beside(name)]
    foreign = [name for name in strangers if not self.layout.is_beside(name)]
    allowed = [n for n in foreign if matches(n, self.exceptions.unused)]
    return ImportPlan(
      layout=self.layout,
      sizes={p: math.prod(s) for p, s in self.model.shapes.items()},
      arrays={n: math.prod(s) for n, s in self.file.items()},
      assigned=_of_kind(fates, "assigned"),
      afresh=afresh,
      missing=_of_kind(fates, "missing"),
      misshapen=_of_kind(fates, "misshapen"),
      unused=tuple(n for n in foreign if n not in allowed),
      allowed=tuple(allowed),
      beside=tuple(beside),
      by_class={
        path: ClassRows(
          self.names[path],
          self.model.shapes[path][-1],
          self.file[self.names[path]][-1],
        )
        for path, reason in afresh.items()
        if reason == NEW_CLASSES
      },
    )

  def _is_pretrained_backbone(self) -> bool:
    """Whether the file has variables of the backbone and no other of ours."""
    present = {p for p, name in self.names.items() if name in self.file}
    return bool(present) and present <= self.model.backbone

  def _fate(self, path: str) -> tuple[str, object]:
    """(kind, detail) of a variable."""
    name, wanted = self.names[path], self.model.shapes[path]
    found = self.file.get(name)
    if matches(path, self.exceptions.afresh):
      return "afresh", AS_ASKED
    if self.pretrained and path not in self.model.backbone:
      return "afresh", NOT_PRETRAINED
    if found is None:
      name = name or path
      patterns = self.exceptions.missing
      allowed = matches(path, patterns) or matches(name, patterns)
      return ("afresh", AS_ASKED) if allowed else ("missing", name)
    if self._may_differ(path, wanted, found):
      return "afresh", NEW_CLASSES
    if found != wanted:
      return "misshapen", Misfit(name, wanted, found)
    return "assigned", name

  def _may_differ(self, path: str, wanted: Shape, found: Shape) -> bool:
    """Whether only the number of classes differs, where it may."""
    return (
      path in self.model.class_paths
      and wanted[:-1] == found[:-1]
      and (wanted != found or self.carry_over)
    )


def _of_kind(fates, kind: str) -> dict:
  return {path: fate[1] for path, fate in fates.items() if fate[0] == kind}


def matches(name: str, patterns: Iterable[str]) -> bool:
  """Whether one of the patterns matches the beginning of the name."""
  return any(re.match(pattern, name) for pattern in patterns)
