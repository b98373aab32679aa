"""A page whose figures are put in by the program that measures them."""

import os
import platform
import re

from deeplab2.datasets.whole_file import whole_file


def check_page(path: str, block: str | None):
  """Raises ValueError unless the file has that block, once."""
  _split(_read(path), path, block)


def fill_page(path: str, block: str, figures: str):
  """Replaces what is in a block by figures and the machine they are of."""
  before, after = _split(_read(path), path, block)
  text = f"{before}\n\n{figures}\n\n{machine()}\n\n{after}"
  with whole_file(path) as file:
    file.write(text.encode())


def machine() -> str:
  """One line on the machine, and on how busy it is with other work."""
  return (
    f"Measured on {os.cpu_count()} cores of {_processor()}, Python "
    f"{platform.python_version()}; at the end {os.getloadavg()[0]:.1f} "
    "processes wanted to run."
  )


def _processor() -> str:
  try:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
      names = re.findall(r"model name\s*: (.*)", file.read())
  except OSError:
    names = []
  return names[0].strip() if names else platform.processor() or "a machine"


def _read(path: str) -> str:
  try:
    with open(path, encoding="utf-8") as file:
      return file.read()
  except OSError as error:
    raise ValueError(f"page: expected a file; got {path}.") from error


def _split(text: str, path: str, block: str | None) -> tuple[str, str]:
  """What is before a block's content, its marker included, and after."""
  start, end = f"<!-- figures: {block} -->", "<!-- end -->"
  before, found, rest = text.partition(start)
  _, ended, after = rest.partition(end)
  if not found or not ended or start in rest:
    names = re.findall(r"<!-- figures: (.*?) -->", text)
    raise ValueError(
      f"page_block: expected one of {sorted(set(names))}, which {path} has "
      f"once and with an end; got {block!r}."
    )
  return before + start, end + after
