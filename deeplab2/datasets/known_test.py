import subprocess
import sys

import pytest

from deeplab2.datasets import DATASETS, load_dataset


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_known_names(name):
  assert load_dataset(name).name == name


def test_a_description_by_file_or_folder(tmp_path):
  path = tmp_path / "dataset.json"
  path.write_text(DATASETS["coco_panoptic"].to_json())
  assert load_dataset(str(path)) == DATASETS["coco_panoptic"]
  assert load_dataset(str(tmp_path)) == DATASETS["coco_panoptic"]


@pytest.mark.parametrize("name", ["coco", "", "/no/such/dataset.json"])
def test_unknown_names_list_the_choices(name):
  with pytest.raises(ValueError) as caught:
    load_dataset(name)
  assert str(caught.value) == (
    "dataset: expected one of ['coco_panoptic', 'shapes_panoptic'] or the path "
    "of a dataset.json (data/build_coco_data.py writes one beside the "
    f"records); got {name!r}."
  )


@pytest.mark.parametrize("text", ["[]", "{", '{"name": 3}'])
def test_a_file_that_is_no_description_is_named(tmp_path, text):
  path = tmp_path / "dataset.json"
  path.write_text(text)
  with pytest.raises(
    ValueError, match=r"not a dataset description: "
  ) as caught:
    load_dataset(str(path))
  assert str(caught.value).startswith(f"{path}: ")


def test_descriptions_load_without_tensorflow():
  code = (
    "import sys; from deeplab2.datasets import load_dataset;"
    "load_dataset('shapes_panoptic'); print('tensorflow' in sys.modules)"
  )
  run = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  assert run.stdout.strip() == "False"
