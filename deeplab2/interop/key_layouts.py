"""How checkpoint files name a model's variables: one layout a library."""

import dataclasses
import re
from collections.abc import Callable, Iterable

from deeplab2.interop.original_keys import SUFFIX, original_key

# Of our own checkpoints.
MODEL = "model/"
EMA = "ema/"  # averages of the same variables
GLOBAL_STEP = "global_step"
PROGRESS = "progress/"

_ENCODER = "encoder/"
_GARDEN_ENCODER = "backbone/_encoder/"


@dataclasses.dataclass(frozen=True)
class KeyLayout:
  """The names that one kind of file has for variables.

  Attributes:
    title: what people call such a file.
    name_of: path of a variable -> name in the file; None if such files never
      hold it.
    beside: pattern of the names that are not of the model: optimizer slots,
      counters. They are explained wherever they occur.
  """

  title: str
  name_of: Callable[[str], str | None]
  beside: str

  def is_beside(self, name: str) -> bool:
    return re.match(self.beside, name) is not None


def _garden_name(path: str) -> str | None:
  """Model Garden holds the encoder as the backbone of its own model."""
  if not path.startswith(_ENCODER):
    return None
  inside = original_key(path).removeprefix(_ENCODER)
  return f"{_GARDEN_ENCODER}{inside}{SUFFIX}"


OURS = KeyLayout(
  title="checkpoint of this library",
  name_of=lambda path: MODEL + path,
  beside=rf"optimizer/|{PROGRESS}|{GLOBAL_STEP}$",
)
OUR_AVERAGES = KeyLayout(
  title="checkpoint of this library, of which the averaged weights are read",
  name_of=lambda path: EMA + path,
  beside=rf"optimizer/|{MODEL}|{PROGRESS}|{GLOBAL_STEP}$",
)
ORIGINAL = KeyLayout(
  title="checkpoint of google-research/deeplab2",
  name_of=lambda path: original_key(path) + SUFFIX,
  beside=(
    r".*/\.OPTIMIZER_SLOT/|(backbone_)?optimizer/"
    r"|(save_counter|global_step)/\.ATTRIBUTES/"
    r"|_CHECKPOINTABLE_OBJECT_GRAPH$"
  ),
)
MODEL_GARDEN = KeyLayout(
  title="Model Garden checkpoint, of which the encoder is read",
  name_of=_garden_name,
  # What is not its encoder is its classifier, optimizer or counters.
  beside=rf".*/\.OPTIMIZER_SLOT/|(?!{re.escape(_GARDEN_ENCODER)})",
)


def layout_of(names: Iterable[str]) -> KeyLayout:
  """The layout that a file with these names has."""
  names = list(names)
  if any(name.startswith(_GARDEN_ENCODER) for name in names):
    return MODEL_GARDEN
  if any(name.startswith(EMA) for name in names):
    return OUR_AVERAGES
  return ORIGINAL if any(n.endswith(SUFFIX) for n in names) else OURS
