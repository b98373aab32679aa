import pytest

from deeplab2.inference.image_files import find_image_files


@pytest.fixture
def folder(tmp_path):
  for name in ("b.JPG", "a.png", "notes.txt", "deep/c.webp"):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
  return tmp_path


def test_a_folder_is_its_pictures_by_name(folder):
  found = find_image_files([str(folder)])
  assert list(found) == ["a", "b"]
  assert found["b"] == folder / "b.JPG"


def test_patterns_reach_into_folders(folder):
  found = find_image_files([f"{folder}/**/*.webp"])
  assert list(found) == ["c"]


def test_a_named_file_counts_whatever_its_suffix(folder):
  assert list(find_image_files([f"{folder}/notes.txt"])) == ["notes"]


def test_inputs_keep_their_order_and_count_once(folder):
  inputs = [f"{folder}/b.JPG", str(folder), f"{folder}/*.png"]
  assert list(find_image_files(inputs)) == ["b", "a"]


def test_names_must_differ(folder):
  (folder / "deep/a.jpg").touch()
  with pytest.raises(ValueError) as error:
    find_image_files([str(folder), f"{folder}/deep"])
  assert str(error.value) == (
    "input: expected file names that differ without their suffix, because "
    f"results are kept by name; got {folder}/a.png and {folder}/deep/a.jpg."
  )


@pytest.mark.parametrize("given", ["empty", "*.bmp", "none.jpg"])
def test_what_names_nothing_is_told(folder, given):
  (folder / "empty").mkdir()
  with pytest.raises(ValueError, match=r"^input: expected an? ") as error:
    find_image_files([f"{folder}/{given}"])
  assert str(error.value).endswith(f"; got '{folder}/{given}'.")


def test_no_input_is_told():
  with pytest.raises(ValueError) as error:
    find_image_files([])
  assert str(error.value) == (
    "input: expected at least one image or folder; got none."
  )
