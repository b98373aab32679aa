"""Broken bytes: every reader gives a right value or a ValueError that says why.

Each test throws arbitrary input at a reader, and good input with a few bytes
changed, moved or missing. The same input every time, in seconds; with
DEEPLAB2_FUZZ_EXAMPLES=20000 other input every time, for as long as that takes.
What that found is kept as examples here.
"""

import io
import json
import os
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from deeplab2.config import textproto
from deeplab2.datasets import coco_folder, coco_results
from deeplab2.datasets.categories import describe_categories
from deeplab2.datasets.coco_annotations import AnnotationError, load_annotated
from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.example_wire import read_example, serialize_example
from deeplab2.datasets.image_header import MAX_PIXELS, image_size
from deeplab2.datasets.inspection import inspect_files, read_plain
from deeplab2.datasets.label_formats import (
  LABEL_FORMATS,
  decode_label,
  encode_label,
)
from deeplab2.datasets.panoptic_png import read_segment_ids
from deeplab2.datasets.record_index import RecordIndex, frame_record
from deeplab2.datasets.records import encode_example

_EXAMPLES = os.environ.get("DEEPLAB2_FUZZ_EXAMPLES")
fuzzed = settings(
  max_examples=int(_EXAMPLES or 40),
  derandomize=not _EXAMPLES,
  database=None,
  deadline=None,
  suppress_health_check=list(HealthCheck),
)

H, W = 7, 11
CATEGORIES = [
  {"id": 2, "name": "cat", "isthing": 1},
  {"id": 9, "name": "lawn", "isthing": 0, "color": [1, 200, 3]},
]
DATASET = describe_categories(CATEGORIES, "pets")
IDS = np.repeat(np.arange(H) // 3 * 70000, W).reshape(H, W).astype(np.int32)
PANOPTIC = np.select([IDS == 0, IDS == 70000], [0, 256 + 1], 512).astype("i4")


def _encoded(pixels: np.ndarray, image_format: str) -> bytes:
  content = io.BytesIO()
  Image.fromarray(pixels).save(content, image_format)
  return content.getvalue()


IMAGE = np.random.default_rng(0).integers(0, 256, (H, W, 3), np.uint8)
JPEG, PNG = _encoded(IMAGE, "jpeg"), _encoded(IMAGE, "png")
MAP = _encoded(
  np.stack([IDS % 256, IDS // 256 % 256, IDS // 65536], -1).astype(np.uint8),
  "png",
)
EXAMPLE = encode_example(
  JPEG, image_format="jpeg", name="a", size=(H, W), panoptic=PANOPTIC
)
RECORDS = [EXAMPLE, b"", b"two" * 30, bytes(50), EXAMPLE[:99]]


@st.composite
def damaged(draw, data: bytes) -> bytes:
  """The data with up to three injuries."""
  data = bytearray(data)
  for _ in range(draw(st.integers(1, 3))):
    start = draw(st.integers(0, len(data)))
    length = draw(st.sampled_from([0, 1, 1, 2, 4, 16, 1000]))
    data[start : start + length] = draw(
      st.one_of(
        st.binary(max_size=5),
        st.just(bytes(data[: length * 2])),
        st.integers(0, 255).map(lambda byte, n=length: bytes([byte]) * n),
      )
    )
  return bytes(data)


def bytes_like(*samples: bytes):
  """Anything, and samples with injuries."""
  return st.one_of(st.binary(max_size=300), *map(damaged, samples))


def value_or_none(reader, *arguments, **named):
  """What the reader returns; None of a ValueError, which must say something."""
  try:
    return reader(*arguments, **named)
  except ValueError as error:
    assert str(error)
    return None


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
  """A file to write over."""
  return str(tmp_path_factory.mktemp("fuzz") / "file")


def write(path: str, content: bytes) -> str:
  with open(path, "wb") as file:
    file.write(content)
  return path


@fuzzed
@given(bytes_like(b"".join(map(frame_record, RECORDS))))
def test_a_record_is_read_as_it_was_written_or_not_at_all(path, content):
  write(path, content)
  index = RecordIndex.from_files([path])
  for number in range(len(index)):
    data = value_or_none(index.read, number)
    if data is not None:
      # The fuzzer makes no checksums: what has one is what was written.
      assert data in RECORDS
  covered = sum(int(length) for length in index.lengths)
  assert covered <= len(content)


@fuzzed
@given(bytes_like(EXAMPLE))
def test_an_example_is_a_dictionary(data):
  features = value_or_none(read_example, data)
  for name, value in (features or {}).items():
    assert isinstance(name, str)
    assert isinstance(value, bytes | int)


@fuzzed
@given(bytes_like(JPEG, PNG))
def test_a_size_is_a_size(data):
  size = value_or_none(image_size, data)
  if size:
    assert min(size) > 0
    assert size[0] * size[1] <= MAX_PIXELS


label_bytes = st.one_of(
  bytes_like(*(encode_label(PANOPTIC, form) for form in LABEL_FORMATS)),
  st.binary(max_size=100).map(zlib.compress),
)


@fuzzed
@given(label_bytes, st.sampled_from([b"runs", b"raw", b"png"]))
def test_a_label_has_the_size_that_is_stated(data, form):
  label = value_or_none(decode_label, data, form, (H, W))
  if label is not None:
    assert (label.shape, label.dtype) == ((H, W), np.int32)


features = st.fixed_dictionaries(
  {},
  optional={
    "image/encoded": bytes_like(JPEG, PNG),
    "image/filename": st.binary(max_size=5),
    "image/height": st.sampled_from([0, 1, H, 2**31, 2**63]),
    "image/width": st.sampled_from([0, W, 2**40]),
    "image/segmentation/class/encoded": label_bytes,
    "image/segmentation/class/format": st.sampled_from([b"raw", b"runs", b""]),
  },
)
examples = st.one_of(
  bytes_like(EXAMPLE),
  features.map(
    lambda some: serialize_example({**read_example(EXAMPLE), **some})
  ),
  features.map(serialize_example),
)


@fuzzed
@given(examples)
def test_a_record_is_whole_or_bad(path, data):
  record = value_or_none(read_plain, data)
  if record is not None and record.panoptic is not None:
    assert record.panoptic.shape == record.image.shape[:2]
  write(path, frame_record(data))
  found = inspect_files([path], DATASET)
  assert found.num_records == 1
  if record is None:
    assert len(found.bad) == 1


@fuzzed
@given(examples)
def test_training_takes_a_record_or_refuses_it(path, data):
  pytest.importorskip("tensorflow")
  from deeplab2.input.loader import RecordLoader

  write(path, frame_record(data))
  loader = RecordLoader(RecordIndex.from_files([path]), DATASET)
  record = value_or_none(loader.load, 0)
  if record is None:
    return
  assert record.image.shape[:2] == record.panoptic.shape
  semantic = record.panoptic // DATASET.divisor
  assert set(np.unique(semantic)) <= set(range(DATASET.num_classes))


@fuzzed
@given(bytes_like(MAP, PNG))
def test_a_panoptic_map_has_ids(path, data):
  ids = value_or_none(read_segment_ids, write(path, data))
  if ids is not None:
    assert (ids.ndim, ids.dtype) == (2, np.int32)
    assert 0 <= ids.min() <= ids.max() < 2**24


json_values = st.recursive(
  st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**70),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["a.jpg", "a.png", "..", "/", "\0", "\ud800", 2, 9, 70000]),
  ),
  lambda inner: st.one_of(
    st.lists(inner, max_size=3),
    st.dictionaries(st.text(max_size=3), inner, max_size=3),
  ),
  max_leaves=5,
)
GOOD_JSON = {
  "categories": CATEGORIES,
  "images": [{"id": 1, "file_name": "a.jpg", "height": H, "width": W}],
  "annotations": [
    {
      "image_id": 1,
      "file_name": "a.png",
      "segments_info": [
        {"id": 70000, "category_id": 2, "iscrowd": 0, "area": 3 * W},
        {"id": 140000, "category_id": 9, "area": W},
      ],
    }
  ],
}


@st.composite
def coco_json(draw) -> bytes:
  """A good JSON of which a value, somewhere, is replaced or missing."""
  content = json.loads(json.dumps(GOOD_JSON))
  for _ in range(draw(st.integers(1, 2))):
    place = content
    while True:
      keys = list(place) if isinstance(place, dict) else range(len(place))
      if not keys:
        break
      key = draw(st.sampled_from(keys))
      deeper = isinstance(place[key], dict | list) and draw(st.booleans())
      if not deeper:
        break
      place = place[key]
    if not keys:
      continue
    if draw(st.booleans()):
      place[key] = draw(json_values)
    else:
      del place[key]
  return json.dumps(content).encode()


json_bytes = st.one_of(
  coco_json(),
  json_values.map(lambda value: json.dumps(value).encode()),
  bytes_like(json.dumps(GOOD_JSON).encode()),
)


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
  root = tmp_path_factory.mktemp("coco")
  maps = root / "annotations" / "panoptic_val2017"
  maps.mkdir(parents=True)
  (root / "val2017").mkdir()
  (root / "val2017" / "a.jpg").write_bytes(JPEG)
  (maps / "a.png").write_bytes(MAP)
  return root


@fuzzed
@given(json_bytes)
@example(b"[" * 10_000)  # RecursionError
@example(json.dumps(GOOD_JSON).encode())
def test_a_coco_json_is_read_or_refused(coco, data):
  path = write(str(coco / "annotations" / "panoptic_val2017.json"), data)
  split = value_or_none(coco_folder.read_split, str(coco), "val", "pets", 256)
  for image in split.images if split else ():
    try:
      stored, panoptic = load_annotated(image, split.dataset)
      assert stored.size == panoptic.shape
      image.name.encode()
    except AnnotationError as error:
      assert str(error)
  value_or_none(coco_results.read_results, path)
  truth = value_or_none(coco_results.read_truth, path)
  for annotated in truth[1] if truth else ():
    value_or_none(coco_results.load_segments, annotated, truth[0])
  skipped = {}
  value_or_none(coco_results.read_results, path, skipped=skipped)


@fuzzed
@given(bytes_like(DATASET.to_json().encode()) | json_bytes)
def test_a_description_is_read_or_refused(data):
  text = data.decode("utf-8", "replace")
  value_or_none(DatasetDescription.from_json, text)


@fuzzed
@given(
  bytes_like(
    b'experiment_name: "a"\nmodel_options {\n  backbone { name: "resnet50" }\n}'
    b"\ntrain_dataset_options { crop_size: 65 crop_size: 65 batch_size: 2 }"
  )
)
def test_a_config_is_read_or_refused(path, data):
  value_or_none(textproto.parse_textproto, write(path, data))


@fuzzed
@given(bytes_like(JPEG, PNG))
def test_a_picture_is_predicted_or_refused(path, data):
  from deeplab2.inference.images import read_image

  image = value_or_none(read_image, write(path, data))
  if image is not None:
    assert (image.ndim, image.shape[-1], image.dtype) == (3, 3, np.uint8)
