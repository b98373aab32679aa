from collections import Counter

import numpy as np

from deeplab2.datasets.categories import describe_categories
from deeplab2.datasets.conftest import CATEGORIES
from deeplab2.datasets.inspection import BadRecord, Inspection
from deeplab2.datasets.inspection_report import (
  describe,
  describe_bad,
  describe_crowding,
  to_dict,
)

PETS = describe_categories(CATEGORIES, "pets")


def _inspection(**fields) -> Inspection:
  return Inspection(num_classes=4, **fields)


def test_a_line_for_totals_sizes_and_each_class():
  found = _inspection(
    num_records=4,
    num_labelled=3,
    num_bytes=3 * 2**19,
    images=np.array([0, 2, 3, 3]),
    segments=np.array([0, 5, 3, 3]),
    crowds=np.array([0, 0, 3, 0]),
    pixels=np.array([0, 35, 24, 204]),
    void_pixels=298,
    segments_an_image=Counter({6: 1, 2: 2}),
    things_an_image=Counter({5: 1, 1: 2}),
  )
  found.sizes.update({(11, 17): 3, (13, 7): 1})
  assert describe(found, PETS).splitlines() == [
    "records   4 (3 labelled, 0 bad), 1.5 MiB",
    "height    11 .. 13 pixels, median 11",
    "width     7 .. 17 pixels, median 17",
    "void      53.12% of the pixels",
    "segments  at most 6 in an image, of which things at most 5",
    "",
    "  id  class  kind    images  segments  crowds  pixels",
    "   1  cat    thing         2         5       0   6.24%",
    "   2  dog    thing         3         3       3   4.28%",
    "   3  lawn   stuff         3         3       0  36.36%",
  ]


def test_without_labels_there_are_only_totals():
  found = _inspection(num_records=2)
  assert describe(found, PETS) == "records   2 (0 labelled, 0 bad), 0.0 MiB"


def test_bad_records_are_named():
  bad = [BadRecord("a", i, "cat", ("x.", "y.")) for i in range(23)]
  lines = describe_bad(_inspection(bad=bad)).splitlines()
  assert lines[:3] == ["a, record 0 (cat):", "  x.", "  y."]
  assert len(lines) == 69
  nameless = _inspection(bad=[BadRecord("b", 7, "", ("z.",))])
  assert describe_bad(nameless) == "b, record 7:\n  z."


def test_limits_of_the_config_that_images_exceed():
  found = _inspection(
    things_an_image=Counter({5: 2, 3: 4}), segments_an_image=Counter({7: 6})
  )
  assert describe_crowding(found, 5, 7) == ""
  assert describe_crowding(found, 4, 6).splitlines() == [
    "2 images hold more things than max_thing_id, 4: no error, but not all of "
    "them are learnt from",
    "6 images hold more segments than num_mask_slots, 6: no error, but not all "
    "of them are learnt from",
  ]
  assert describe_crowding(found, 5, None) == ""


def test_what_other_programs_read():
  found = _inspection(num_records=3, num_bytes=7)
  found.bad.append(BadRecord("a", 2, "cat", ("x.",)))
  found.things_an_image[4] += 1
  assert to_dict(found) == {
    "records": 3,
    "labelled": 0,
    "bytes": 7,
    "most_things": 4,
    "most_segments": 0,
    "bad": [{"file": "a", "record": 2, "name": "cat", "problems": ("x.",)}],
  }
