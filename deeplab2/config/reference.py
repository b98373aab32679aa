"""Writes the page of all config fields out of the .proto files and the rules.

python -m deeplab2.config.reference > g3doc/config_reference.md
"""

import textwrap
from collections.abc import Iterator

from deeplab2.config import fields
from deeplab2.config.config_pb2 import ExperimentOptions
from deeplab2.config.field_rules import FIELD_RULES
from deeplab2.config.max_deeplab_rules import (
  RULES,
  RULES_OF_PYRAMID,
  RULES_WHERE_SET,
  WITHOUT_EFFECT,
)
from deeplab2.config.proto_text import (
  FILES,
  ProtoField,
  ProtoMessage,
  read_proto,
)

_TITLE = """\
# Config reference

A config is a textproto file of one `ExperimentOptions`. This page is made from
the comments in deeplab2/config/\\*.proto and from the rules that
`load_experiment` checks: `make docs` writes it again.

`--set path.to.field=value` changes a field from the command line, for example
`--set trainer_options.solver_options.base_learning_rate=0.0005`. A list takes
its items between commas (`--set train_dataset_options.crop_size=641,641`), and
an empty value takes a field back to its default. `--set NAME=value` fills
`${NAME}` in, which the environment does too.

Field numbers below 100 and all names are those of google-research/deeplab2, so
that its configs are read unchanged. Of its meta-architectures MaX-DeepLab can
be run; configs of the others are parsed. Where MaX-DeepLab has no use for a
field, setting it is an error, never silence.
"""


def reference_page() -> str:
  """The page as Markdown."""
  rules = _rules_by_field()
  parts = [_TITLE]
  for name in FILES:
    for message in read_proto(name):
      parts += ["", *_section(message, rules)]
  return "\n".join(parts) + "\n"


def _section(message: ProtoMessage, rules) -> Iterator[str]:
  yield f"## {message.name}"
  yield ""
  yield textwrap.fill(message.comment, 80)
  yield ""
  for field in message.fields:
    notes = rules.get((message.name, field.name), ())
    text = " ".join([f"{_signature(field)}: {field.comment}", *notes])
    yield textwrap.fill(
      text,
      80,
      initial_indent="- ",
      subsequent_indent="  ",
      break_long_words=False,
      break_on_hyphens=False,
    )


def _signature(field: ProtoField) -> str:
  kind = f"list of {field.type}" if field.repeated else field.type
  if not field.default:
    return f"`{field.name}` ({kind})"
  return f"`{field.name}` ({kind}, default `{field.default}`)"


def _rules_by_field() -> dict[tuple[str, str], list[str]]:
  """Sentences about each field, by (message, field)."""
  notes: dict[tuple[str, str], list[str]] = {}

  def add(path, text):
    sentences = notes.setdefault(_message_and_field(path), [])
    if text not in sentences:
      sentences.append(text)

  for path, rule in FIELD_RULES.items():
    add(path, f"Expected: {rule.text}.")
  for path, rule in {**RULES, **RULES_OF_PYRAMID, **RULES_WHERE_SET}.items():
    add(path, f"MaX-DeepLab expects: {_for_whom(path)}{rule.text}.")
  for path, reason in WITHOUT_EFFECT.items():
    add(path, f"MaX-DeepLab: {_for_whom(path)}leave unset, {reason}.")
  return notes


def _for_whom(path: str) -> str:
  """Which of the losses a rule is about, as they differ."""
  message, _ = _message_and_field(path)
  is_loss = message == "LossOptions.SingleLossOptions"
  return f"in {path.split('.')[-2]} " if is_loss else ""


def _message_and_field(path: str) -> tuple[str, str]:
  descriptor = ExperimentOptions.DESCRIPTOR
  *parents, name = path.replace(".*", "").split(".")
  for parent in parents:
    descriptor = descriptor.fields_by_name[parent].message_type
  field: fields.Field = descriptor.fields_by_name[name]
  return field.containing_type.full_name.removeprefix("deeplab2.config."), name


if __name__ == "__main__":
  print(reference_page(), end="")
