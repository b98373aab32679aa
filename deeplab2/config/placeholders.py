"""`${NAME}` in a config's texts, filled in from outside."""

import re
from collections.abc import Iterator, Mapping

from deeplab2.config.config_pb2 import ExperimentOptions
from deeplab2.config.fields import Field, is_repeated, set_leaves

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_MAY_BE_EMPTY = {"INIT_CHECKPOINT": " (empty starts from random weights)"}


def placeholder_names(experiment: ExperimentOptions) -> set[str]:
  """The NAMEs of all `${NAME}` in a config."""
  found = set()
  for _, _, _, texts in _text_fields(experiment):
    found.update(*map(_PLACEHOLDER.findall, texts))
  return found


def fill_placeholders(
  experiment: ExperimentOptions, values: Mapping[str, str]
) -> list[str]:
  """Puts values in, in place; a field that comes out empty is cleared.

  Returns:
    One line for each NAME that is not in `values`: where it stands and how to
    give it.
  """
  missing = {}
  for path, message, field, texts in _text_fields(experiment):
    for name in set(_PLACEHOLDER.findall("".join(texts))) - set(values):
      missing.setdefault(name, []).append(path)
    filled = [_fill(text, values) for text in texts]
    message.ClearField(field.name)
    if is_repeated(field):
      getattr(message, field.name).extend(text for text in filled if text)
    elif filled[0]:
      setattr(message, field.name, filled[0])
  return [_how_to_give(name, paths) for name, paths in sorted(missing.items())]


def clear_unfilled(
  experiment: ExperimentOptions, paths, values: Mapping[str, str]
):
  """Clears those of the given fields whose placeholders have no value."""
  for path, message, field, texts in _text_fields(experiment):
    names = set(_PLACEHOLDER.findall("".join(texts)))
    if path in paths and names - set(values):
      message.ClearField(field.name)


def _text_fields(experiment: ExperimentOptions) -> Iterator[tuple]:
  for path, message, field in list(set_leaves(experiment)):
    if field.cpp_type == Field.CPPTYPE_STRING:
      value = getattr(message, field.name)
      yield path, message, field, list(value) if is_repeated(field) else [value]


def _fill(text: str, values: Mapping[str, str]) -> str:
  return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def _how_to_give(name: str, paths: list[str]) -> str:
  return (
    f"{name}: expected a value for ${{{name}}} in {', '.join(paths)}, such as "
    f"--set {name}=...{_MAY_BE_EMPTY.get(name, '')}, or in the environment; "
    "got none."
  )
