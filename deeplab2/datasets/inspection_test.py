import io

import numpy as np
import pytest
from PIL import Image

from deeplab2.datasets import inspection
from deeplab2.datasets.categories import describe_categories
from deeplab2.datasets.coco_annotations import encode_segments
from deeplab2.datasets.conftest import CATEGORIES, tiny_label
from deeplab2.datasets.example_wire import read_example, serialize_example
from deeplab2.datasets.inspection import (
  BadRecord,
  inspect_files,
  label_problems,
  read_plain,
)
from deeplab2.datasets.record_index import frame_record
from deeplab2.datasets.records import encode_example

PETS = describe_categories(CATEGORIES, "pets")  # 1 cat, 2 dog, 3 lawn
H, W = 11, 17
IMAGE = np.random.default_rng(0).integers(0, 256, (H, W, 3), np.uint8)


def _png(image=IMAGE) -> bytes:
  file = io.BytesIO()
  Image.fromarray(image).save(file, "png")
  return file.getvalue()


def _label(num_cats: int) -> np.ndarray:
  ids, segments = tiny_label(num_cats)
  return encode_segments(ids, tuple(segments), PETS, crowd_as_void=False)


def _example(name="0", panoptic=None, **features) -> bytes:
  data = encode_example(
    _png(), image_format="png", name=name, size=(H, W), panoptic=panoptic
  )
  return serialize_example({**read_example(data), **features})


def _write(path, examples) -> str:
  path.write_bytes(b"".join(frame_record(example) for example in examples))
  return str(path)


@pytest.fixture
def three_files(tmp_path):
  return [
    _write(
      tmp_path / "a", [_example("0", _label(0)), _example("1", _label(1))]
    ),
    _write(tmp_path / "b", []),
    _write(tmp_path / "c", [_example("4", _label(4)), _example("test")]),
  ]


@pytest.mark.parametrize("num_processes", [1, 2])
def test_counts(three_files, num_processes):
  seen = []
  found = inspect_files(
    three_files, PETS, num_processes, lambda *news: seen.append(news)
  )
  assert seen == [(0, 4), (2, 4), (4, 4)]
  assert (found.num_records, found.num_labelled) == (4, 3)
  assert found.bad == []
  assert found.names == ["0", "1", "4", "test"]
  assert found.sizes == {(H, W): 4}
  np.testing.assert_array_equal(found.segments, [0, 5, 3, 3])
  np.testing.assert_array_equal(found.images, [0, 2, 3, 3])
  np.testing.assert_array_equal(found.crowds, [0, 0, 3, 0])
  np.testing.assert_array_equal(found.pixels, [0, 5 * 7, 3 * 8, 3 * 4 * W])
  assert found.void_pixels == 3 * H * W - found.pixels.sum()
  assert found.segments_an_image == {2: 1, 3: 1, 6: 1}
  assert found.things_an_image == {1: 1, 2: 1, 5: 1}


@pytest.mark.parametrize(
  ("example", "problem"),
  [
    (
      _example(**{"image/height": W}),
      "image/encoded: expected the stated height and width (17, 17); got (11, "
      "17).",
    ),
    (
      _example(**{"image/filename": b"\xff"}),
      "image/filename: expected a text in UTF-8; got b'\\xff'.",
    ),
    (
      _example(panoptic=_label(1))[:-5],
      "not a tf.train.Example: broken at byte 3.",
    ),
    (
      serialize_example({"image/height": 3}),
      "image/encoded: expected bytes; it is missing.",
    ),
    (
      _example(**{"image/segmentation/class/encoded": bytes(9)}),
      "image/segmentation/class/encoded: expected raw int32 for 11 x 17 "
      "pixels, 748 bytes; got 9 bytes.",
    ),
    (
      _example(
        panoptic=_label(1), **{"image/segmentation/class/format": b"gif"}
      ),
      "image/segmentation/class/encoded: expected one of ('runs', 'raw') as "
      "its format; got b'gif'.",
    ),
    (
      _example(panoptic=np.full((H, W), 4 * 256)),
      "label: expected classes 0..3 or the ignore label 0; got 4.",
    ),
    (
      _example(panoptic=np.full((H, W), -1)),
      "label: expected classes 0..3 or the ignore label 0; got -1.",
    ),
    (
      _example(panoptic=np.full((H, W), 3 * 256 + 2)),
      "label: stuff and void have no instances; got the panoptic ids 770.",
    ),
  ],
)
def test_a_bad_record_is_named_and_the_others_counted(
  tmp_path, example, problem
):
  good = _example("good", _label(2))
  path = _write(tmp_path / "a", [good, example])
  found = inspect_files([path], PETS)
  assert found.num_records == 2
  assert found.num_labelled == 1
  (bad,) = found.bad
  assert (bad.file, bad.record, bad.problems) == (path, 1, (problem,))
  assert bad.name in ("0", "", "\ufffd")


def test_an_image_that_does_not_decode(tmp_path):
  path = _write(tmp_path / "a", [_example(**{"image/encoded": _png()[:60]})])
  (bad,) = inspect_files([path], PETS).bad
  assert bad.problems[0].startswith("image/encoded: does not decode: ")
  assert bad.name == "0"


def test_an_image_that_would_fill_the_memory_is_not_decoded(tmp_path):
  bomb = _png()[:16] + b"\0\1\0\0" * 2 + _png()[24:]
  example = _example(
    **{
      "image/encoded": bomb,
      "image/height": 65536,
      "image/width": 65536,
    }
  )
  (bad,) = inspect_files([_write(tmp_path / "a", [example])], PETS).bad
  assert bad.problems == (
    "image/encoded: expected 1 to 67108864 pixels; got height 65536, width "
    "65536.",
  )


def test_parts_of_a_long_file_are_counted_once(tmp_path, monkeypatch):
  monkeypatch.setattr(inspection, "_PART", 3)
  path = _write(tmp_path / "a", [_example(f"{i}", _label(1)) for i in range(8)])
  found = inspect_files([path], PETS)
  assert found.names == [f"{i}" for i in range(8)]
  assert found.places[-1] == (path, 7)
  assert found.num_labelled == 8


def test_flipped_bits_and_cut_files_are_named(tmp_path, three_files):
  with open(three_files[0], "r+b") as file:
    file.seek(40)
    (byte,) = file.read(1)
    file.seek(40)
    file.write(bytes([byte ^ 1]))
  with open(three_files[2], "r+b") as file:
    file.truncate(90)
  found = inspect_files(three_files, PETS)
  first, second = found.bad
  assert first == BadRecord(
    three_files[0], 0, "", ("the checksum does not agree.",)
  )
  assert second[:3] == (three_files[2], 0, "")
  assert "cut short" in second.problems[0]
  assert found.num_records == 3


def test_one_name_in_two_records(tmp_path):
  path = _write(tmp_path / "a", [_example("x"), _example("x")])
  (bad,) = inspect_files([path], PETS).bad
  problem = f"image/filename: stands in {path}, record 0 as well."
  assert bad == BadRecord(path, 1, "x", (problem,))


def test_records_of_the_original_need_no_label_format():
  features = read_example(_example("x", _label(1)))
  del features["image/segmentation/class/format"]
  record = read_plain(serialize_example(features))
  np.testing.assert_array_equal(record.panoptic, _label(1))
  np.testing.assert_array_equal(record.image, IMAGE)
  assert record.name == "x"


def test_long_lists_of_ids_are_cut():
  many = np.arange(40, 62).reshape(2, 11) * 256
  (problem,) = label_problems(many.ravel(), PETS)
  assert problem.endswith("got 40, 41, 42, 43, 44, 45, 46, 47 ....")
