"""Changes to a config from the command line: `path.to.field=value`."""

import difflib
from collections.abc import Callable
from typing import Any

from google.protobuf import message as protobuf_message

from deeplab2.config.fields import Field, is_message, is_repeated

_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def split_assignment(assignment: str) -> tuple[str, str]:
  """ "a.b=c" to ("a.b", "c")."""
  key, equals, value = assignment.partition("=")
  if not equals or not key.strip():
    raise ValueError(
      "set: expected path.to.field=value, such as trainer_options.seed=1, or "
      f"NAME=value; got '{assignment}'."
    )
  return key.strip(), value.strip()


def apply_override(message: protobuf_message.Message, path: str, value: str):
  """Sets the field of a dotted path from text.

  Lists take their items between commas, and messages in a list are counted from
  0, as in "auxiliary_low_level.0.channels_project=32". An empty value takes
  the field back to its default.

  Raises:
    ValueError: there is no such field (the error lists those there are), or the
      text is not of its type.
  """
  *parents, name = path.split(".")
  for depth, parent in enumerate(parents):
    message = _step(message, parent, ".".join(parents[: depth + 1]))
  if not isinstance(message, protobuf_message.Message):
    raise ValueError(
      f"{path}: expected the number of an item and a field of it, such as "
      f"{parents[-1]}.0.NAME; got '{value}'."
    )
  field = _field(message, name, path)
  if is_message(field):
    raise ValueError(
      f"{path}: expected a field inside it, one of "
      f"{_names(field.message_type)}; got '{value}'."
    )
  _assign(message, field, path, value)


def _step(parent: Any, name: str, path: str) -> Any:
  """One part of a path down: into a message, a list of them or an item."""
  if not isinstance(parent, protobuf_message.Message):
    return _item(parent, name, path)
  field = _field(parent, name, path)
  if not is_message(field):
    raise ValueError(f"{path}: expected a message to go into; it is a value.")
  _check_alternative(parent, field, path)
  return getattr(parent, name)


def _item(items: Any, index: str, path: str) -> Any:
  if not index.isdigit() or int(index) >= len(items):
    raise ValueError(
      f"{path}: expected the number of one of {len(items)} items, counted from "
      f"0; got '{index}'."
    )
  return items[int(index)]


def _field(message: protobuf_message.Message, name: str, path: str) -> Field:
  fields = message.DESCRIPTOR.fields_by_name
  if name not in fields:
    close = difflib.get_close_matches(name, fields, n=1)
    guess = f"perhaps {close[0]}, " if close else ""
    raise ValueError(
      f"{path}: expected a field of {message.DESCRIPTOR.name}, {guess}one of "
      f"{_names(message.DESCRIPTOR)}; got '{name}'."
    )
  return fields[name]


def _check_alternative(
  message: protobuf_message.Message, field: Field, path: str
):
  """Refuses to throw a meta-architecture away by setting a field of another."""
  group = field.containing_oneof
  present = group and message.WhichOneof(group.name)
  if present not in (None, field.name):
    raise ValueError(
      f"{path}: expected a field of {present}, the {group.name} of this "
      f"config; got one of {field.name}."
    )


def _assign(
  message: protobuf_message.Message, field: Field, path: str, text: str
):
  convert = _CONVERSIONS[field.cpp_type]
  texts = [part.strip() for part in text.split(",")] if text else []
  if is_repeated(field):
    values = [convert(part, path) for part in texts]
    message.ClearField(field.name)
    getattr(message, field.name).extend(values)
  elif text:
    setattr(message, field.name, convert(text, path))
  else:
    message.ClearField(field.name)


def _integer(text: str, path: str) -> int:
  try:
    value = int(text)
  except ValueError:
    raise ValueError(
      f"{path}: expected a whole number, such as 8; got '{text}'."
    ) from None
  if not -(2**31) <= value < 2**31:
    raise ValueError(f"{path}: expected a number of 32 bits; got {text}.")
  return value


def _number(text: str, path: str) -> float:
  try:
    return float(text)
  except ValueError:
    raise ValueError(
      f"{path}: expected a number, such as 0.001; got '{text}'."
    ) from None


def _truth(text: str, path: str) -> bool:
  if text.lower() not in _TRUTH:
    raise ValueError(f"{path}: expected true or false; got '{text}'.")
  return _TRUTH[text.lower()]


def _text(text: str, path: str) -> str:
  del path
  return text


_CONVERSIONS: dict[int, Callable[[str, str], Any]] = {
  Field.CPPTYPE_INT32: _integer,
  Field.CPPTYPE_FLOAT: _number,
  Field.CPPTYPE_BOOL: _truth,
  Field.CPPTYPE_STRING: _text,
}


def _names(descriptor) -> str:
  return ", ".join(sorted(descriptor.fields_by_name))
