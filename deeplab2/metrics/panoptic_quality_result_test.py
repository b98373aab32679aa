import json

import numpy as np
import pytest

from deeplab2.metrics.panoptic_quality import PanopticQuality

NAMES = ("void", "cat", "dog", "a very long name", "sky")


def hand_made():
  quality = PanopticQuality(5, (1, 2), 0, 10)
  quality.update(
    np.array([[11, 11, 11, 11, 30, 30]]), np.array([[11, 11, 11, 0, 40, 40]])
  )
  return quality.result()


def test_dict_names_the_classes_that_count():
  content = hand_made().to_dict(NAMES)
  assert list(content) == ["all", "things", "stuff", "per_class"]
  assert content["things"] == {
    "pq": 0.75,
    "sq": 0.75,
    "rq": 1.0,
    "classes": 1,
    "of_classes": 2,
  }
  assert list(content["per_class"]) == ["cat", "a very long name", "sky"]
  assert content["per_class"]["sky"] == {
    "pq": 0.0,
    "sq": 0.0,
    "rq": 0.0,
    "tp": 0,
    "fp": 1,
    "fn": 0,
  }


def test_empty_summary_is_valid_json():
  content = PanopticQuality(5, (1, 2), 0, 10).result().to_dict(NAMES)
  assert content["all"]["pq"] is None
  assert content["per_class"] == {}
  assert "NaN" not in json.dumps(content)


def test_table_reads_as_meant():
  assert hand_made().table(NAMES) == "\n".join(
    [
      "                    PQ    SQ    RQ  classes",
      "all               25.0  25.0  33.3  3 of 4",
      "things            75.0  75.0 100.0  1 of 2",
      "stuff              0.0   0.0   0.0  2 of 2",
      "",
      "class               PQ    SQ    RQ     TP     FP     FN",
      "cat               75.0  75.0 100.0      1      0      0",
      "a very long name   0.0   0.0   0.0      0      0      1",
      "sky                0.0   0.0   0.0      0      1      0",
      "",
      "Left out of the means: 1 of 4 classes, in neither truth nor prediction.",
    ]
  )


def test_table_of_nothing_has_dashes():
  table = PanopticQuality(5, (1, 2), 0, 10).result().table(NAMES)
  assert "all        -     -     -  0 of 4" in table
  assert "class " not in table


def test_short_table_has_no_classes():
  table = hand_made().table(NAMES, per_class=False)
  assert "cat" not in table
  assert "75.0" in table


def test_a_name_a_class_is_asked_for():
  with pytest.raises(ValueError) as error:
    hand_made().table(NAMES[:-1])
  assert str(error.value) == "names: expected one a class, 5; got 4."
