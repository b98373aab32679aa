import os

import pytest

from deeplab2.inference.model_folder import appearing_whole, check_output_path


@pytest.fixture
def saved(tmp_path):
  path = tmp_path / "saved"
  path.mkdir()
  (path / "saved_model.pb").write_text("old")
  return path


def test_a_new_or_empty_folder_may_be_made(tmp_path):
  check_output_path(tmp_path / "new", overwrite=False)
  check_output_path(tmp_path, overwrite=False)


def test_a_saved_model_is_replaced_only_on_demand(saved):
  with pytest.raises(ValueError) as error:
    check_output_path(saved, overwrite=False)
  assert str(error.value) == (
    "output_path: expected a new folder, or --overwrite to replace the "
    f"SavedModel there; got {saved}."
  )
  check_output_path(saved, overwrite=True)


def test_what_is_no_saved_model_is_never_replaced(tmp_path):
  (tmp_path / "thesis.tex").touch()
  for path in (tmp_path, tmp_path / "thesis.tex"):
    with pytest.raises(ValueError) as error:
      check_output_path(path, overwrite=True)
    assert str(error.value) == (
      "output_path: expected a new folder, or a SavedModel to replace; got "
      f"{path}, which holds something else."
    )


def test_a_folder_appears_with_all_its_files(tmp_path):
  path = tmp_path / "runs" / "new"
  with appearing_whole(path) as folder:
    (folder / "saved_model.pb").write_text("new")
    assert not path.exists()
  assert (path / "saved_model.pb").read_text() == "new"
  assert os.listdir(path.parent) == ["new"]


def test_a_failure_leaves_what_was_there(saved):
  with pytest.raises(KeyboardInterrupt), appearing_whole(saved) as folder:
    (folder / "saved_model.pb").write_text("new")
    raise KeyboardInterrupt
  assert (saved / "saved_model.pb").read_text() == "old"
  assert os.listdir(saved.parent) == ["saved"]


def test_what_killed_exports_left_is_cleared_away(saved):
  # Killed while it was filled ...
  work = saved.parent / ".saved.part"
  (work / "new").mkdir(parents=True)
  (work / "new" / "variables").touch()
  with pytest.raises(ValueError), appearing_whole(saved) as folder:
    assert os.listdir(folder) == []
    raise ValueError
  assert os.listdir(saved.parent) == ["saved"]
  # ... and between the two renames.
  work.mkdir()
  saved.rename(work / "old")
  with pytest.raises(ValueError), appearing_whole(saved):
    raise ValueError
  assert (saved / "saved_model.pb").read_text() == "old"


def test_two_exports_to_one_path_do_not_meet(saved):
  with (
    appearing_whole(saved),
    pytest.raises(ValueError, match="another program is writing there"),
    appearing_whole(saved),
  ):
    pass


def test_what_was_there_is_replaced_whole(saved):
  (saved / "other").touch()
  with appearing_whole(saved) as folder:
    (folder / "saved_model.pb").write_text("new")
  assert os.listdir(saved) == ["saved_model.pb"]
  assert os.listdir(saved.parent) == ["saved"]
