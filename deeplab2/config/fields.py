"""Small questions about fields that protobuf answers differently by version."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from google.protobuf import descriptor as protobuf_descriptor
from google.protobuf import message as protobuf_message

Field = protobuf_descriptor.FieldDescriptor


class Leaf(NamedTuple):
  """A field of numbers, text or truth values, somewhere in a message."""

  path: str  # dotted, e.g. "trainer_options.solver_options.optimizer"
  message: protobuf_message.Message  # the one that has the field
  field: Field


def is_repeated(field: Field) -> bool:
  """Whether a field holds a list; `label` warns from protobuf 6.31 on."""
  if hasattr(field, "is_repeated"):
    return field.is_repeated
  return field.label == Field.LABEL_REPEATED


def is_message(field: Field) -> bool:
  return field.cpp_type == Field.CPPTYPE_MESSAGE


def set_leaves(message: protobuf_message.Message, path="") -> Iterator[Leaf]:
  """All leaves that were set, in the order of their numbers.

  Messages in a list are counted from 0: "auxiliary_low_level.1.feature_key".
  """
  for field, value in message.ListFields():
    here = f"{path}.{field.name}" if path else field.name
    if not is_message(field):
      yield Leaf(here, message, field)
    elif is_repeated(field):
      for index, item in enumerate(value):
        yield from set_leaves(item, f"{here}.{index}")
    else:
      yield from set_leaves(value, here)


def value_at(message: protobuf_message.Message, path: str) -> Any:
  """The value of a dotted path, or its default."""
  for name in path.split("."):
    message = message[int(name)] if name.isdigit() else getattr(message, name)
  return message


def is_set(message: protobuf_message.Message, path: str) -> bool:
  """Whether the field of a dotted path is in the message or its list filled."""
  *parents, name = path.split(".")
  for parent in parents:
    message = getattr(message, parent)
  if is_repeated(message.DESCRIPTOR.fields_by_name[name]):
    return bool(getattr(message, name))
  return message.HasField(name)
