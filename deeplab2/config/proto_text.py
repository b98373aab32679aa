"""Reads our .proto files as text: the fields and what is said about them.

Enough of the language for this folder, no more: proto2, at most one statement a
line. The compiled modules know the fields but not the comments.
"""

import dataclasses
import pathlib
import re

FOLDER = pathlib.Path(__file__).parent
FILES = ("config", "model", "trainer", "dataset", "evaluator")

_MESSAGE = re.compile(r"message (?P<name>\w+) {")
_ONEOF = re.compile(r"oneof (?P<name>\w+) {")
_FIELD = re.compile(
  r"(?:(?P<label>optional|repeated) )?(?P<type>\w+) (?P<name>\w+) = "
  r"(?P<number>\d+)(?: \[(?P<options>.*)\])?;"
)
_DEFAULT = re.compile(r"default = (?P<value>[^,\]]+)")


@dataclasses.dataclass(frozen=True)
class ProtoField:
  name: str
  number: int
  type: str  # as written: "int32", "HeadOptions"
  repeated: bool
  oneof: str | None
  default: str | None  # as written, without quotes
  comment: str


@dataclasses.dataclass
class ProtoMessage:
  name: str  # with those it is nested in: "ModelOptions.BackboneOptions"
  comment: str
  fields: list[ProtoField] = dataclasses.field(default_factory=list)


def read_proto(name: str) -> list[ProtoMessage]:
  """The messages of deeplab2/config/NAME.proto, outer before inner ones.

  Raises:
    ValueError: a statement that this reader does not know.
  """
  reader = _Reader()
  text = (FOLDER / f"{name}.proto").read_text("utf-8")
  for statement, comment in _statements(text):
    reader.take(statement, comment)
  return reader.messages


class _Reader:
  """Follows the nesting of messages from statement to statement."""

  def __init__(self):
    self.messages: list[ProtoMessage] = []
    self._open: list[ProtoMessage | str] = []  # a oneof is its name

  def take(self, statement: str, comment: str):
    if statement.startswith(("syntax ", "package ", "import ")):
      return
    if statement == "}":
      self._open.pop()
    elif match := _MESSAGE.fullmatch(statement):
      outer = [f"{scope.name}." for scope in self._open[-1:]]
      message = ProtoMessage("".join([*outer, match["name"]]), comment)
      self.messages.append(message)
      self._open.append(message)
    elif match := _ONEOF.fullmatch(statement):
      self._open.append(match["name"])
    elif match := _FIELD.fullmatch(statement):
      self._add_field(match, comment)
    else:
      raise ValueError(f"proto: expected a statement; got '{statement}'.")

  def _add_field(self, match: re.Match, comment: str):
    oneof = self._open[-1] if isinstance(self._open[-1], str) else None
    message = self._open[-2] if oneof else self._open[-1]
    default = _DEFAULT.search(match["options"] or "")
    message.fields.append(
      ProtoField(
        name=match["name"],
        number=int(match["number"]),
        type=match["type"],
        repeated=match["label"] == "repeated",
        oneof=oneof,
        default=default and default["value"].strip("'\""),
        comment=comment,
      )
    )


def _statements(text: str):
  """Pairs of a statement on one line and the comment right above it."""
  statement, comment = [], []
  for line in map(str.strip, text.splitlines()):
    if line.startswith("//"):
      comment.append(line.removeprefix("//").strip())
    elif not line:
      comment = []
    else:
      statement.append(line)
      if line.endswith((";", "{", "}")):
        yield " ".join(statement), " ".join(comment)
        statement, comment = [], []
