import json

import numpy as np
import pytest
from PIL import Image

from deeplab2.datasets import coco_results

CATEGORIES = [
  {"id": 17, "name": "cat", "isthing": 1},
  {"id": 193, "name": "grass", "isthing": 0},
]
IDS = np.array([[0, 5, 5], [70000, 70000, 5]])
SEGMENTS = [
  {"id": 5, "category_id": 17, "area": 3, "iscrowd": 1},
  {"id": 70000, "category_id": 193, "area": 2, "iscrowd": 0},
]


def write_png(path, ids):
  path.parent.mkdir(parents=True, exist_ok=True)
  rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1)
  Image.fromarray(rgb.astype(np.uint8)).save(path)


def annotation(image_id=7, name="a", segments=SEGMENTS):
  return {
    "image_id": image_id,
    "file_name": f"{name}.png",
    "segments_info": [dict(s) for s in segments],
  }


def write(folder, annotations=None, ids=IDS, **fields):
  """A JSON `folder`.json and a PNG for each annotation; returns its path."""
  annotations = [annotation()] if annotations is None else annotations
  folder.mkdir(exist_ok=True)
  for entry in annotations:
    write_png(folder / entry["file_name"], ids)
  path = folder.with_suffix(".json")
  content = {"annotations": annotations, "categories": CATEGORIES, **fields}
  path.write_text(json.dumps(content))
  return str(path)


def test_truth_gives_classes_maps_and_crowds(tmp_path):
  dataset, (annotated,) = coco_results.read_truth(write(tmp_path / "truth"))
  assert dataset.class_names == ("void", "cat", "grass")
  assert dataset.thing_ids == (1,)
  assert (annotated.image_id, annotated.name) == (7, "a")
  table = coco_results.load_segments(annotated, dataset)
  np.testing.assert_array_equal(table.map, IDS)
  assert table.ids.tolist() == [5, 70000]
  assert table.classes.tolist() == [1, 2]
  assert table.crowd.tolist() == [True, False]


def test_a_folder_of_another_name_may_be_given(tmp_path):
  path = write(tmp_path / "truth")
  (tmp_path / "truth").rename(tmp_path / "moved")
  maps = coco_results.read_results(path, str(tmp_path / "moved"))
  assert maps[0].map_path == str(tmp_path / "moved/a.png")


def test_what_a_result_says_of_areas_and_crowds_is_dropped(tmp_path):
  segments = [{**s, "area": 1, "iscrowd": 1} for s in SEGMENTS]
  path = write(tmp_path / "result", [annotation(segments=segments)])
  dataset, _ = coco_results.read_truth(write(tmp_path / "truth"))
  (annotated,) = coco_results.read_results(path)
  table = coco_results.load_segments(annotated, dataset)
  assert not table.crowd.any()


def test_pairs_follow_the_truth_and_its_ids(tmp_path):
  truth = write(tmp_path / "t", [annotation(9, "b"), annotation(7, "a")])
  result = write(tmp_path / "r", [annotation(i, str(i)) for i in (7, 8, 9)])
  _, maps = coco_results.read_truth(truth)
  pairs = coco_results.pair_results(maps, coco_results.read_results(result))
  assert [(t.image_id, r.image_id) for t, r in pairs] == [(9, 9), (7, 7)]


def test_results_under_a_name_find_their_truth(tmp_path):
  _, maps = coco_results.read_truth(write(tmp_path / "t"))
  result = write(tmp_path / "r", [annotation("a", "x")])
  ((_, found),) = coco_results.pair_results(
    maps, coco_results.read_results(result)
  )
  assert found.image_id == "a"


def test_missing_results_are_listed(tmp_path):
  annotations = [annotation(i, str(i)) for i in range(7)]
  _, maps = coco_results.read_truth(write(tmp_path / "t", annotations))
  results = coco_results.read_results(write(tmp_path / "r", annotations[2:4]))
  with pytest.raises(ValueError) as error:
    coco_results.pair_results(maps, results)
  assert str(error.value) == (
    "predictions: expected one for each of the 7 images of the truth; 5 are "
    "missing, such as image ids [0, 1, 4, 5, 6]."
  )


@pytest.mark.parametrize(
  "segments, ids, size, message",
  [
    (
      SEGMENTS[:1],
      IDS,
      None,
      "segment 70000: the map has 2 pixels of it; the JSON does not list it.",
    ),
    (
      [*SEGMENTS, {"id": 6, "category_id": 17}],
      IDS,
      None,
      "segment 6: the map has no pixel of it.",
    ),
    (
      [SEGMENTS[0], {"id": 70000, "category_id": 3}],
      IDS,
      None,
      "segment 70000: category_id: expected the id of a category; got 3.",
    ),
    (
      SEGMENTS,
      IDS,
      (3, 2),
      "size: expected the truth's height and width (3, 2); got (2, 3).",
    ),
    ([SEGMENTS[0]] * 2, IDS, None, "segment 5: listed 2 times."),
  ],
)
def test_contradictions_name_file_image_and_segment(
  tmp_path, segments, ids, size, message
):
  path = write(tmp_path / "t", [annotation(segments=segments)], ids)
  dataset, (annotated,) = coco_results.read_truth(path)
  with pytest.raises(ValueError) as error:
    coco_results.load_segments(annotated, dataset, size)
  assert str(error.value) == f"{tmp_path}/t/a.png, image id 7:\n  {message}"


@pytest.mark.parametrize(
  "annotations, message",
  [
    ([], "{json}: annotations: expected a list of objects."),
    ({"a": 1}, "{json}: annotations: expected a list of objects."),
    (
      [{"file_name": "a.png", "segments_info": []}],
      "{json}: annotations[0]: image_id: expected an id; got None.",
    ),
    (
      [{"image_id": 3, "segments_info": []}],
      "{json}: annotations[0], image id 3: file_name: expected the name of a "
      "PNG; got None.",
    ),
    (
      [{"image_id": 3, "file_name": "a.png"}],
      "{json}: annotations[0], image id 3: segments_info: expected a list of "
      "objects with id and category_id.",
    ),
    (
      [annotation(), annotation()],
      "{json}: annotations[1] and annotations[0]: expected distinct images; "
      "got image id 7 twice.",
    ),
    (
      [annotation(), annotation(8, "b"), annotation(9, "c")],
      "{json}: 2 of 3 PNGs are missing in {folder}, such as b.png of image id "
      "8.",
    ),
  ],
)
def test_a_json_that_is_wrong_says_where(tmp_path, annotations, message):
  path = write(tmp_path / "t", [annotation()])
  content = {"annotations": annotations, "categories": CATEGORIES}
  (tmp_path / "t.json").write_text(json.dumps(content))
  with pytest.raises(ValueError) as error:
    coco_results.read_truth(path)
  assert str(error.value) == message.format(json=path, folder=tmp_path / "t")


def test_files_that_are_not_there_or_no_json(tmp_path):
  path = str(tmp_path / "t.json")
  with pytest.raises(ValueError) as error:
    coco_results.read_results(path)
  assert str(error.value) == (
    f"{path}: expected a panoptic JSON; there is no such file."
  )
  (tmp_path / "t.json").write_text("{")
  with pytest.raises(ValueError, match=r"t\.json: not JSON: "):
    coco_results.read_results(path)
  (tmp_path / "t.json").write_text(json.dumps({"annotations": [annotation()]}))
  with pytest.raises(ValueError) as error:
    coco_results.read_results(path)
  assert str(error.value) == (
    f"{path}: expected its PNGs in a folder; there is no {tmp_path}/t."
  )


def test_truth_without_categories_is_refused(tmp_path):
  path = write(tmp_path / "t", categories=[])
  with pytest.raises(ValueError) as error:
    coco_results.read_truth(path)
  assert str(error.value) == (
    f"{path}: categories: expected a list of classes; got none."
  )


def test_bad_entries_may_be_left_out_and_listed(tmp_path):
  path = write(tmp_path / "t", [annotation()])
  entries = [
    annotation(),
    3,
    annotation(),
    annotation(8, "b"),
    {**annotation("x"), "file_name": 5},
  ]
  content = {"annotations": entries, "categories": CATEGORIES}
  (tmp_path / "t.json").write_text(json.dumps(content))
  skipped = {}
  _, truth = coco_results.read_truth(path, skipped=skipped)
  assert [annotated.image_id for annotated in truth] == [7]
  assert skipped == {
    f"{path}: annotations[1]": "image_id: expected an id; got None.",
    f"{path}: annotations[2]": "and annotations[0]: expected distinct images; "
    "got image id 7 twice.",
    f"{path}: annotations[4]": "image id x: file_name: expected the name of a "
    "PNG; got 5.",
    f"{tmp_path / 't' / 'b.png'}": "there is no such file.",
  }
  assert coco_results.pair_results(truth, [], skipped) == []
  assert skipped["predictions, image id 7"] == "expected one; there is none."


def test_json_that_is_nested_too_deep_is_refused(tmp_path):
  (tmp_path / "t.json").write_text("[" * 100_000)
  with pytest.raises(ValueError, match=r"t\.json: not JSON: maximum recursion"):
    coco_results.read_truth(str(tmp_path / "t.json"))
