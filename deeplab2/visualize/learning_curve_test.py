import sys

import numpy as np
import pytest
from PIL import Image

from deeplab2.visualize.learning_curve import plot_learning_curve

RECORDS = [
  {"step": 10, "total_loss": 3.0},
  {"step": 20, "total_loss": 2.0, "pq": 12.0},
  {"step": 30, "total_loss": float("nan")},
  {"step": 40, "total_loss": 1.0, "pq": 40.0, "sq": None},
]


def test_a_picture_has_a_panel_a_title(tmp_path):
  one, two = str(tmp_path / "one.png"), str(tmp_path / "two.png")
  plot_learning_curve(RECORDS, {"Loss": ["total_loss"]}, one)
  plot_learning_curve(RECORDS, {"Loss": ["total_loss"], "PQ": ["pq"]}, two)
  one, two = Image.open(one), Image.open(two)
  assert two.width == 2 * one.width
  assert two.height == one.height


def test_the_order_of_records_does_not_matter(tmp_path):
  paths = [str(tmp_path / f"{i}.png") for i in range(2)]
  panels = {"all": ["total_loss", "pq"]}
  plot_learning_curve(RECORDS, panels, paths[0])
  plot_learning_curve(RECORDS[::-1], panels, paths[1])
  np.testing.assert_array_equal(*map(np.asarray, map(Image.open, paths)))


def test_other_formats_follow_the_ending(tmp_path):
  path = tmp_path / "curve.svg"
  plot_learning_curve(RECORDS, {"Loss": ["total_loss"]}, str(path))
  assert "<svg" in path.read_text()


def test_it_needs_no_global_state_of_matplotlib(tmp_path):
  before = "matplotlib.pyplot" in sys.modules
  plot_learning_curve(RECORDS, {"PQ": ["pq"]}, str(tmp_path / "a.png"))
  assert ("matplotlib.pyplot" in sys.modules) == before


@pytest.mark.parametrize("name", ["sq", "learning_rate"])
def test_a_quantity_without_a_value_is_named(tmp_path, name):
  with pytest.raises(ValueError) as error:
    plot_learning_curve(RECORDS, {"x": [name]}, str(tmp_path / "a.png"))
  assert str(error.value) == (
    "panels: expected quantities that are in the records, ['pq', 'sq', "
    f"'total_loss']; got {name!r}."
  )
