import numpy as np
import pytest

from deeplab2.datasets import DatasetDescription
from deeplab2.inference import result as result_lib

DATASET = DatasetDescription(
  name="fields",
  ignore_label=0,
  divisor=256,
  thing_ids=(1, 3),
  class_names=("void", "cow", "grass", "tree"),
  colors=((0, 0, 0), (200, 30, 30), (30, 200, 30), (20, 90, 20)),
  category_ids=(None, 17, 193, 184),
)
COW_1, COW_2, GRASS = 257, 258, 512


def _map():
  panoptic = np.zeros((7, 11), np.int32)
  panoptic[4:] = GRASS
  panoptic[1:5, 2:5] = COW_1
  panoptic[2:6, 7:9] = COW_2
  return panoptic


def test_a_segment_knows_its_class_box_and_area():
  segments = result_lib.find_segments(_map(), np.ones((7, 11)), DATASET)
  by_id = {segment.id: segment for segment in segments}
  assert set(by_id) == {COW_1, COW_2, GRASS}
  assert by_id[COW_1] == result_lib.Segment(
    id=COW_1,
    class_id=1,
    category_id=17,
    name="cow",
    is_thing=True,
    area=12,
    score=1.0,
    box=(2, 1, 3, 4),
  )
  assert by_id[COW_2].box == (7, 2, 2, 4)
  assert not by_id[GRASS].is_thing
  assert by_id[GRASS].category_id == 193


def test_areas_cover_all_but_void_and_come_largest_first():
  panoptic = _map()
  segments = result_lib.find_segments(panoptic, np.ones((7, 11)), DATASET)
  areas = [segment.area for segment in segments]
  assert areas == sorted(areas, reverse=True)
  assert sum(areas) == np.count_nonzero(panoptic)


def test_score_is_the_mean_over_the_segment_only():
  panoptic = _map()
  score = np.where(panoptic == COW_1, 0.25, 0.75)
  score[1, 2] = 0.5
  segments = result_lib.find_segments(panoptic, score, DATASET)
  scores = {segment.id: segment.score for segment in segments}
  assert scores[COW_1] == pytest.approx((11 * 0.25 + 0.5) / 12)
  assert scores[COW_2] == pytest.approx(0.75)


def test_a_map_of_void_has_no_segments():
  void = np.zeros((5, 7), np.int32)
  assert result_lib.find_segments(void, np.ones((5, 7)), DATASET) == ()


def test_class_zero_counts_where_void_lies_outside_the_classes():
  dataset = DatasetDescription(
    name="road",
    ignore_label=255,
    divisor=1000,
    thing_ids=(),
    class_names=("road",),
    colors=((1, 2, 3),),
    category_ids=(7,),
  )
  panoptic = np.array([[0, 0, 255000]], np.int32)
  (road,) = result_lib.find_segments(panoptic, np.ones((1, 3)), dataset)
  assert (road.id, road.category_id, road.area) == (0, 7, 2)
