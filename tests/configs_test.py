"""Every shipped config loads, and says what its name says."""

import os
import pathlib
import re

import pytest

from deeplab2.config import load_experiment, parse_experiment
from deeplab2.config.config_files import config_names, configs_folder
from deeplab2.datasets import DatasetDescription

ORIGINAL = os.environ.get("DEEPLAB2_ORIGINAL_CONFIGS")
RECIPES = [
  name for name in config_names() if name.startswith("coco/max_deeplab/")
]
RECIPE_NAME = re.compile(
  r"max_deeplab_(?P<size>[sl])_os16_res(?P<crop>\d+)_(?P<steps>\d+)k"
)
SPLITS = ("train", "eval")
PQ_OF_ORIGINAL = {  # the original library's table, COCO val, by size and crop
  ("s", 641): {100: 45.9, 200: 46.5, 400: 47.0},
  ("s", 1025): {100: 47.9, 200: 48.7, 400: 49.0},
  ("l", 1025): {100: 50.9, 200: 51.1, 400: 51.3},
}


@pytest.fixture
def variables(tmp_path):
  """A value for every placeholder of the shipped configs."""
  (tmp_path / "train-0.tfrecord").touch()
  (tmp_path / "val-0.tfrecord").touch()
  dataset = DatasetDescription(
    name="small",
    ignore_label=0,
    divisor=256,
    thing_ids=(1,),
    class_names=("void", "thing", "stuff"),
    colors=((0, 0, 0), (1, 1, 1), (2, 2, 2)),
    category_ids=(None, 1, 2),
  )
  (tmp_path / "dataset.json").write_text(dataset.to_json())
  return {
    "DATA_DIR": str(tmp_path),
    "TRAIN_SET": f"{tmp_path}/train*",
    "VAL_SET": f"{tmp_path}/val*",
    "INIT_CHECKPOINT": "",
  }


def load(name, variables):
  text = (configs_folder() / f"{name}.textproto").read_text("utf-8")
  used = {
    key: value for key, value in variables.items() if f"${{{key}}}" in text
  }
  return load_experiment(name, variables=used)


@pytest.mark.parametrize("name", config_names())
def test_a_shipped_config_loads(name, variables):
  experiment = load(name, variables)
  assert experiment.experiment_name == name.rpartition("/")[2]


def test_the_nine_recipes_of_the_original_are_there():
  expected = [
    f"coco/max_deeplab/max_deeplab_{size}_os16_res{crop}_{steps}k"
    for (size, crop), pq in PQ_OF_ORIGINAL.items()
    for steps in pq
  ]
  assert sorted(expected) == RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_what_its_name_says(name, variables):
  size, crop, steps = RECIPE_NAME.search(name).groups()
  experiment = load(name, variables)
  options = experiment.train_dataset_options
  solver = experiment.trainer_options.solver_options
  assert experiment.model_options.backbone.name == f"max_deeplab_{size}"
  assert list(options.crop_size) == [int(crop)] * 2
  assert solver.training_number_of_steps == int(steps) * 1000
  text = (configs_folder() / f"{name}.textproto").read_text("utf-8")
  pq = PQ_OF_ORIGINAL[size, int(crop)][int(steps)]
  assert f"PQ {pq:.1f} on the validation set" in text


@pytest.mark.parametrize(
  ("short", "recipe"),
  [
    ("max_deeplab_s", "max_deeplab_s_os16_res641_100k"),
    ("max_deeplab_l", "max_deeplab_l_os16_res1025_100k"),
  ],
)
def test_a_short_name_is_the_shortest_recipe(short, recipe, variables):
  """On COCO; it takes the number of classes from whatever its dataset is."""
  named = {"EXPERIMENT_NAME": "either"}
  short = load_experiment(short, variables={**variables, **named})
  recipe = load_experiment(
    f"coco/max_deeplab/{recipe}", variables={**variables, **named}
  )
  assert short == recipe


@pytest.mark.parametrize("short", ["max_deeplab_s", "max_deeplab_l"])
def test_a_short_name_serves_any_dataset(short, variables):
  dataset = f"{variables['DATA_DIR']}/dataset.json"
  experiment = load_experiment(
    short,
    overrides=[f"{s}_dataset_options.dataset={dataset}" for s in SPLITS],
    variables=variables,
  )
  head = experiment.model_options.max_deeplab.auxiliary_semantic_head
  assert head.output_channels == 3


@pytest.mark.skipif(
  not ORIGINAL,
  reason="DEEPLAB2_ORIGINAL_CONFIGS is not set to the original's configs/",
)
class TestOriginal:
  """Against a checkout of google-research/deeplab2, its folder configs/."""

  def test_all_its_configs_parse(self):
    files = sorted(pathlib.Path(ORIGINAL).rglob("*.textproto"))
    assert len(files) == 62
    for file in files:
      assert parse_experiment(file).HasField("model_options"), file

  @pytest.mark.parametrize("name", RECIPES)
  def test_our_recipe_equals_its_recipe(self, name):
    ours = configs_folder() / f"{name}.textproto"
    theirs = pathlib.Path(ORIGINAL) / f"{name}.textproto"
    assert parse_experiment(ours) == parse_experiment(theirs)
