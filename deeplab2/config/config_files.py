"""Where the shipped configs are, and how a name finds one."""

import difflib
import pathlib

_PACKAGE = pathlib.Path(__file__).resolve().parent.parent
_SUFFIX = ".textproto"


def configs_folder() -> pathlib.Path:
  """The folder of the shipped configs.

  An installed package holds it inside; in a checkout it lies beside the
  package.
  """
  inside = _PACKAGE / "configs"
  return inside if inside.is_dir() else _PACKAGE.parent / "configs"


def config_names() -> list[str]:
  """Names below configs/ without suffix, e.g. "coco/max_deeplab/NAME"."""
  folder = configs_folder()
  files = sorted(folder.rglob(f"*{_SUFFIX}"))
  return [file.relative_to(folder).with_suffix("").as_posix() for file in files]


def find_config(name_or_path) -> pathlib.Path:
  """Finds a config by its path or by its name below configs/.

  A name may leave out the suffix and, where it stays unique, the folders. A
  file of that path wins over a shipped config of that name.

  Raises:
    ValueError: nothing, or more than one config, has that name; the error lists
      the choices.
  """
  path = pathlib.Path(name_or_path).expanduser()
  if path.is_file():
    return path
  name = str(name_or_path).removesuffix(_SUFFIX).removeprefix("configs/")
  found = _matches(name)
  if len(found) != 1:
    raise ValueError(_not_found(name_or_path, name, found))
  return configs_folder() / f"{found[0]}{_SUFFIX}"


def _matches(name: str) -> list[str]:
  names = config_names()
  if name in names:
    return [name]
  return [known for known in names if known.endswith(f"/{name}")]


def _not_found(given, name: str, found: list[str]) -> str:
  names = config_names()
  last_parts = {known.rpartition("/")[2]: known for known in names}
  close = difflib.get_close_matches(name.rpartition("/")[2], last_parts, n=5)
  choices = found or [last_parts[part] for part in close] or names
  return (
    "config_file: expected a file, or a name below configs/ such as "
    f"{', '.join(choices)}; got '{given}'."
  )
