import pytest

from deeplab2.config.config_files import (
  config_names,
  configs_folder,
  find_config,
)

LONG_NAME = "coco/max_deeplab/max_deeplab_s_os16_res641_100k"


@pytest.mark.parametrize(
  "name",
  [
    LONG_NAME,
    f"{LONG_NAME}.textproto",
    f"configs/{LONG_NAME}.textproto",
    "max_deeplab_s_os16_res641_100k",
  ],
)
def test_a_config_has_many_names(name, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  assert find_config(name) == configs_folder() / f"{LONG_NAME}.textproto"


def test_a_short_name_is_not_taken_for_a_longer_one():
  found = find_config("max_deeplab_s")
  assert found == configs_folder() / "max_deeplab_s.textproto"


def test_a_file_wins_over_a_shipped_config(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / "max_deeplab_s.textproto").touch()
  assert find_config("max_deeplab_s.textproto").resolve().parent == tmp_path


def test_a_slip_is_answered_with_names_close_to_it():
  with pytest.raises(ValueError) as error:
    find_config("max_deplab_s")
  text = str(error.value)
  assert text.startswith(
    "config_file: expected a file, or a name below configs/"
  )
  assert "max_deeplab_s" in text and text.endswith("; got 'max_deplab_s'.")


def test_a_name_like_no_other_is_answered_with_all_names():
  with pytest.raises(ValueError) as error:
    find_config("???")
  assert ", ".join(config_names()) in str(error.value)


def test_a_name_of_two_configs_is_answered_with_both(tmp_path, monkeypatch):
  for folder in ("a", "b"):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "same.textproto").touch()
  monkeypatch.setattr(
    "deeplab2.config.config_files.configs_folder", lambda: tmp_path
  )
  with pytest.raises(ValueError) as error:
    find_config("same")
  assert str(error.value) == (
    "config_file: expected a file, or a name below configs/ such as a/same, "
    "b/same; got 'same'."
  )
