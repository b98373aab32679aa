"""What a field may hold: a sentence for people and a test for values."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf import message as protobuf_message
from google.protobuf import text_format

from deeplab2.config.fields import is_set, value_at


@dataclasses.dataclass(frozen=True)
class Rule:
  """A condition on a field's value; `text` goes on after "expected"."""

  text: str
  holds: Callable[[Any], bool]


def at_least(bound) -> Rule:
  return Rule(f"{bound} or more", lambda value: value >= bound)


def above(bound) -> Rule:
  return Rule(f"more than {bound}", lambda value: value > bound)


def within(low, high) -> Rule:
  """Both ends belong to it."""
  return Rule(f"{low} to {high}", lambda value: low <= value <= high)


def above_up_to(low, high) -> Rule:
  """The upper end belongs to it, the lower one does not."""
  return Rule(
    f"more than {low} and at most {high}", lambda value: low < value <= high
  )


def one_of(*choices) -> Rule:
  words = [show(choice) for choice in choices]
  listed = words[0] if len(words) == 1 else f"one of {', '.join(words)}"
  return Rule(listed, lambda value: value in choices)


def all_or_at_least(bound) -> Rule:
  return Rule(
    f"-1, or {bound} and more", lambda value: value == -1 or value >= bound
  )


def each(rule: Rule) -> Rule:
  """A rule on every item of a list."""
  return Rule(f"each {rule.text}", lambda values: all(map(rule.holds, values)))


def broken_rules(
  message: protobuf_message.Message, rules: Mapping[str, Rule]
) -> Iterator[str]:
  """A line for each field of the table whose value, or default, is wrong.

  In a path, "*" stands for every item of a list of messages.
  """
  for path, rule in rules.items():
    for where, value in _values(message, path):
      if not rule.holds(value):
        yield problem(where, rule.text, value)


def set_without_effect(
  message: protobuf_message.Message, reasons: Mapping[str, str]
) -> Iterator[str]:
  """A line for each field of the table that says anything.

  That is a value other than the default, or a message, even an empty one.
  """
  for path, reason in reasons.items():
    value = value_at(message, path)
    if isinstance(value, protobuf_message.Message):
      says_something = is_set(message, path)
    else:
      says_something = value != value_at(type(message)(), path)
    if says_something:
      yield problem(path, f"unset, {reason}", value)


def problem(path: str, rule: str, value: Any) -> str:
  """The form of every complaint about a config."""
  return f"{path}: expected {rule}; got {show(value)}."


def show(value: Any) -> str:
  """A value as a config file has it."""
  if isinstance(value, bool):
    return str(value).lower()
  if isinstance(value, float):
    return f"{value:.7g}"
  if isinstance(value, str):
    return f"'{value}'"
  if isinstance(value, protobuf_message.Message):
    return f"{{{text_format.MessageToString(value, as_one_line=True)}}}"
  if isinstance(value, int):
    return str(value)
  return f"[{', '.join(map(show, value))}]"


def _values(
  value: protobuf_message.Message, path: str
) -> Iterator[tuple[str, Any]]:
  head, _, tail = path.partition(".*.")
  for name in head.split("."):
    value = getattr(value, name)
  if not tail:
    yield head, value
    return
  for index, item in enumerate(value):
    for where, inner in _values(item, tail):
      yield f"{head}.{index}.{where}", inner
