import copy
import io

import numpy as np
import pytest
from PIL import Image

from deeplab2.datasets.categories import describe_categories
from deeplab2.datasets.coco_annotations import (
  AnnotationError,
  encode_segments,
  load_annotated,
  read_image,
  segment_problems,
)
from deeplab2.datasets.coco_folder import read_split
from deeplab2.datasets.conftest import CATEGORIES, save_ids, tiny_label

PETS = describe_categories(CATEGORIES, "pets")  # 1 cat, 2 dog, 3 lawn
LAWN = 3 * 256


def _slow_encoding(ids, segments, dataset, crowd_as_void):
  """The format's rules, one segment after the other."""
  panoptic = np.full(ids.shape, dataset.ignore_label * dataset.divisor)
  seen = dict.fromkeys(range(dataset.num_classes), 0)
  for segment in segments:
    class_id = dataset.class_of_category[segment["category_id"]]
    value = class_id * dataset.divisor
    if segment["iscrowd"] and crowd_as_void:
      value = dataset.ignore_label * dataset.divisor
    if class_id in dataset.thing_ids and not segment["iscrowd"]:
      seen[class_id] += 1
      value += seen[class_id]
    panoptic[ids == segment["id"]] = value
  return panoptic


def _problems(change=None, num_cats=3, dataset=PETS):
  ids, segments = tiny_label(num_cats)
  if change:
    change(ids, segments)
  return segment_problems(ids, tuple(segments), dataset)


def _first_image(folder, split="train", number=1):
  found = read_split(folder.root, split, "pets", 256)
  return found.images[number], found.dataset


def _error_of(image, dataset) -> str:
  with pytest.raises(AnnotationError) as caught:
    load_annotated(image, dataset)
  return str(caught.value)


@pytest.mark.parametrize("crowd_as_void", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_encoding_agrees_with_the_rules(seed, crowd_as_void):
  rng = np.random.default_rng(seed)
  ids, segments = tiny_label(int(rng.integers(0, 5)))
  ids = rng.permutation(ids.ravel()).reshape(ids.shape)
  rng.shuffle(segments)
  panoptic = encode_segments(ids, tuple(segments), PETS, crowd_as_void)
  np.testing.assert_array_equal(
    panoptic, _slow_encoding(ids, segments, PETS, crowd_as_void)
  )
  assert panoptic.dtype == np.int32


def test_instances_are_numbered_a_class_in_the_order_of_the_json():
  ids, segments = tiny_label(2)
  panoptic = encode_segments(ids, tuple(segments[::-1]), PETS)
  assert panoptic[3, 4] == 256 + 1  # cat 1001, listed before 1000
  assert panoptic[2, 4] == 256 + 2
  assert panoptic[0, 0] == 512 + 1
  assert panoptic[8, 0] == LAWN
  assert panoptic[6, 16] == 0


def test_crowds_are_void_or_an_instance_of_number_zero():
  ids, segments = tiny_label(0)
  assert encode_segments(ids, tuple(segments), PETS)[1, 0] == 0
  kept = encode_segments(ids, tuple(segments), PETS, crowd_as_void=False)
  assert kept[1, 0] == 512


def test_a_right_annotation_has_no_problem():
  assert _problems() == []


def test_area_and_iscrowd_may_be_left_out():
  def leave_out(ids, segments):
    for segment in segments:
      del segment["area"], segment["iscrowd"]

  assert _problems(leave_out) == []


@pytest.mark.parametrize(
  ("change", "problem"),
  [
    (
      lambda ids, segments: segments[0].update(area=8),
      "segment 1000: area: the JSON states 8 pixels; the map has 7.",
    ),
    (
      lambda ids, segments: segments[0].update(category_id=3),
      "segment 1000: category_id: expected the id of a category; got 3.",
    ),
    (
      lambda ids, segments: segments[0].update(category_id=[2]),
      "segment 1000: category_id: expected the id of a category; got [2].",
    ),
    (
      lambda ids, segments: segments.pop(0),
      "segment 1000: the map has 7 pixels of it; the JSON does not list it.",
    ),
    (
      lambda ids, segments: ids.__setitem__(ids == 1000, 0),
      "segment 1000: the map has no pixel of it.",
    ),
    (
      lambda ids, segments: segments.append(copy.copy(segments[0])),
      "segment 1000: listed 2 times.",
    ),
    (
      lambda ids, segments: segments[-1].update(iscrowd=1),
      "segment 70000: iscrowd: 'lawn' is stuff, which has no crowd.",
    ),
    (
      lambda ids, segments: segments[0].update(iscrowd=2),
      "segment 1000: iscrowd: expected 0 or 1; got 2.",
    ),
    (
      lambda ids, segments: segments.insert(0, {"id": 0}),
      "segments_info[0]: expected an id of 1..16777215; got {'id': 0}.",
    ),
    (
      lambda ids, segments: segments.insert(0, "cat"),
      "segments_info[0]: expected an id of 1..16777215; got cat.",
    ),
  ],
)
def test_every_contradiction_is_told(change, problem):
  assert _problems(change) == [problem]


def test_more_instances_than_the_divisor_allows():
  few = describe_categories(CATEGORIES, "pets", divisor=3)
  assert _problems(num_cats=2, dataset=few) == []
  assert _problems(num_cats=3, dataset=few) == [
    "cat: expected at most 2 instances, one less than the label divisor; got 3."
  ]


def test_load_gives_the_files_own_bytes(tiny_folder):
  image, dataset = _first_image(tiny_folder)
  file, panoptic = load_annotated(image, dataset)
  with open(image.image_path, "rb") as stored:
    assert file.data == stored.read()
  assert (file.format, file.size) == ("jpeg", (11, 17))
  assert panoptic.shape == (11, 17)


def test_all_that_is_wrong_with_an_image_is_told_at_once(tiny_folder):
  ids, _ = tiny_label(1)
  save_ids(tiny_folder.map_path("train", 1), ids[:, :-1])
  image, dataset = _first_image(tiny_folder)
  image = image._replace(stated_size=(17, 11))
  assert _error_of(image, dataset) == (
    "000000000001:\n"
    "  panoptic map: expected the image's height and width (11, 17); got (11, "
    "16).\n"
    "  images: the JSON states height and width (17, 11); the image has (11, "
    "17).\n"
    "  segment 70000: area: the JSON states 68 pixels; the map has 64."
  )


def test_files_that_are_missing_or_broken_are_named(tiny_folder):
  image, dataset = _first_image(tiny_folder)
  gone = image._replace(image_path="/no/image.jpg")
  assert _error_of(gone, dataset) == (
    "000000000001:\n  image: expected a file; there is no /no/image.jpg."
  )
  gone = image._replace(map_path="/no/map.png")
  assert _error_of(gone, dataset) == (
    "000000000001:\n  panoptic map: expected a file; there is no /no/map.png."
  )
  with open(image.image_path, "r+b") as file:
    file.truncate(300)
  assert "does not decode" in _error_of(image, dataset)


def test_gray_and_unusual_images_are_stored_as_rgb(tmp_path):
  gray = Image.fromarray(np.arange(77, dtype=np.uint8).reshape(7, 11))
  for extension, stored_format in (("jpg", "jpeg"), ("bmp", "png")):
    path = str(tmp_path / f"gray.{extension}")
    gray.save(path)
    file = read_image(path, None)
    assert (file.format, file.size) == (stored_format, (7, 11))
    with Image.open(io.BytesIO(file.data)) as stored:
      assert (stored.mode, stored.format) == ("RGB", stored_format.upper())
      np.testing.assert_allclose(
        np.asarray(stored)[..., 1], np.asarray(gray), atol=3
      )


@pytest.mark.parametrize(
  ("label_size", "size"),
  [((7, 11), (7, 11)), ((11, 7), (11, 7)), (None, (7, 11))],
)
def test_a_turn_in_exif_is_applied_where_the_label_has_it(
  tmp_path, label_size, size
):
  path = str(tmp_path / "turned.jpg")
  exif = Image.Exif()
  exif[0x0112] = 6  # to be shown turned by a quarter
  Image.new("RGB", (11, 7)).save(path, exif=exif)
  file = read_image(path, label_size)
  assert file.size == size
  with Image.open(io.BytesIO(file.data)) as stored:
    assert (stored.height, stored.width) == size
