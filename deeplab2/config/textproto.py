"""Config files: protocol buffers as text, one message a file."""

import pathlib
import re

from google.protobuf import message as protobuf_message
from google.protobuf import text_format

from deeplab2.config import config_pb2

_HEADER = re.compile(r"#\s*proto-message:\s*(?P<name>[\w.]+)\s*$")
_MESSAGES = (
  "ExperimentOptions",
  "ModelOptions",
  "TrainerOptions",
  "DatasetOptions",
  "EvaluatorOptions",
)


def parse_textproto(path) -> protobuf_message.Message:
  """Reads the message that a file holds.

  Its kind is that of the header `# proto-message: NAME`, the original
  library's habit, and `ExperimentOptions` where the file has no such line.

  Raises:
    ValueError: the header names another kind, or the text does not fit; the
      error holds file, line and column.
  """
  text = pathlib.Path(path).read_text(encoding="utf-8")
  kind = _kind_in_header(text)
  if kind not in _MESSAGES:
    raise ValueError(
      f"{path}: expected a proto-message of {', '.join(_MESSAGES)}; got {kind}."
    )
  try:
    return text_format.Parse(text, getattr(config_pb2, kind)())
  except text_format.ParseError as error:
    raise ValueError(
      f"{path}:{error}: expected the fields of {kind}, as listed in "
      "g3doc/config_reference.md."
    ) from error


def format_textproto(message: protobuf_message.Message) -> str:
  """Text that `parse_textproto` reads back as an equal message."""
  header = f"# proto-message: {message.DESCRIPTOR.name}\n\n"
  return header + text_format.MessageToString(message)


def _kind_in_header(text: str) -> str:
  for line in text.splitlines():
    if line and not line.startswith("#"):
      break
    match = _HEADER.match(line)
    if match:
      return match["name"].rpartition(".")[2]
  return "ExperimentOptions"
