import numpy as np

from deeplab2.datasets.categories import describe_categories
from deeplab2.datasets.conftest import CATEGORIES
from deeplab2.datasets.inspection import BadRecord, Inspection
from deeplab2.datasets.inspection_report import describe, describe_bad

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
    most_segments=6,
    most_things=5,
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


def test_bad_records_are_named_and_a_long_list_is_cut():
  bad = [BadRecord(f"a, record {i}", "cat", ("x.", "y.")) for i in range(23)]
  lines = describe_bad(_inspection(bad=bad)).splitlines()
  assert lines[:3] == ["a, record 0 (cat):", "  x.", "  y."]
  assert lines[-1] == "and 3 more"
  assert len(lines) == 61
  nameless = _inspection(bad=[BadRecord("b", "", ("z.",))])
  assert describe_bad(nameless) == "b:\n  z."
