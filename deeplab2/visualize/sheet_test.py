import numpy as np
import pytest

from deeplab2.datasets.coco import COCO_PANOPTIC
from deeplab2.visualize.panoptic_picture import paint_panoptic
from deeplab2.visualize.sheet import Example, comparison_sheet

DIVISOR = COCO_PANOPTIC.divisor
H, W = 61, 89


def example(seed=0, height=H, width=W):
  rng = np.random.default_rng(seed)
  image = rng.integers(0, 256, (height, width, 3), np.uint8)
  truth = np.zeros((height, width), np.int32)
  truth[20:] = 17 * DIVISOR + 1
  prediction = np.zeros((height, width), np.int32)
  prediction[30:] = 100 * DIVISOR
  return Example(image, truth, prediction)


def found(sheet, panel):
  """Top and left of the first place where a picture lies in another."""
  height, width, _ = panel.shape
  for top in range(sheet.shape[0] - height + 1):
    starts = (sheet[top, :, :] == panel[0, 0]).all(-1).nonzero()[0]
    for left in starts[starts <= sheet.shape[1] - width]:
      if (sheet[top : top + height, left : left + width] == panel).all():
        return top, left
  return None


def test_image_truth_and_prediction_are_there():
  e = example()
  sheet = comparison_sheet([e], COCO_PANOPTIC, panel_height=H)
  assert sheet.dtype == np.uint8
  painted = [paint_panoptic(e.image, m, COCO_PANOPTIC) for m in e[1:]]
  panels = [e.image, *painted]
  places = [found(sheet, panel) for panel in panels]
  assert None not in places
  assert [top for top, _ in places] == [places[0][0]] * 3
  lefts = [left for _, left in places]
  assert np.diff(lefts).min() > W


def test_truth_may_be_missing():
  e = example()._replace(truth=None)
  sheet = comparison_sheet([e], COCO_PANOPTIC, panel_height=H)
  full = comparison_sheet([example()], COCO_PANOPTIC, panel_height=H)
  assert full.shape[1] - sheet.shape[1] == W + 8


def test_examples_of_other_sizes_share_the_columns():
  examples = [example(0), example(1, 47, 97), example(2, 131, 79)]
  sheet = comparison_sheet(examples, COCO_PANOPTIC, panel_height=100)
  assert sheet.shape[0] > 3 * 100
  widest = round(100 * 97 / 47)
  assert sheet.shape[1] == 2 * 16 + 3 * widest + 2 * 8


def test_small_images_are_enlarged():
  sheet = comparison_sheet([example()], COCO_PANOPTIC, panel_height=5 * H)
  assert sheet.shape[1] > 3 * 5 * W


@pytest.mark.parametrize(
  "examples, got",
  [
    ([], "[]"),
    (
      [example(), example()._replace(truth=None)],
      "[('image', 'prediction'), ('image', 'truth', 'prediction')]",
    ),
  ],
)
def test_examples_that_do_not_fit_together_are_refused(examples, got):
  with pytest.raises(ValueError) as error:
    comparison_sheet(examples, COCO_PANOPTIC)
  assert str(error.value) == (
    "examples: expected at least one, all with the same of truth and "
    f"prediction; got {got}."
  )
