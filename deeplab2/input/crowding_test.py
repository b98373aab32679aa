"""Tests of counting crowded images."""

import numpy as np
import pytest

from deeplab2.input.crowding import Crowding
from deeplab2.input.testing import DISC, SEA, SKY, STAR, TOY, VOID

# Four things, a crowd, two kinds of stuff, void.
LABEL = np.array(
  [
    [TOY.codec.encode(DISC, 1), TOY.codec.encode(DISC, 2), SKY * 32, SKY * 32],
    [TOY.codec.encode(STAR, 1), TOY.codec.encode(STAR, 7), SEA * 32, VOID],
    [TOY.codec.encode(DISC, 0), TOY.codec.encode(STAR, 7), SEA * 32, VOID],
  ],
  np.int32,
)


@pytest.mark.parametrize(
  ("max_things", "max_segments", "line"),
  [
    (4, 6, None),
    (4, None, None),
    (
      3,
      6,
      "a, record 0: 4 things are more than max_thing_id, 3; the smallest are "
      "left out. More such images are only counted.",
    ),
    (
      4,
      5,
      "a, record 0: 6 segments are more than num_mask_slots, 5; some are not "
      "learnt from. More such images are only counted.",
    ),
  ],
)
def test_what_is_too_much_is_said_once_and_counted(
  max_things, max_segments, line
):
  lines = []
  crowding = Crowding(TOY, max_things, max_segments, lines.append)
  for number in (0, 1, 0, 1):
    crowding.look_at(f"a, record {number}", LABEL)
  assert lines == ([line] if line else [])
  assert crowding.count == (2 if line else 0)


def test_an_empty_image_is_not_too_much():
  crowding = Crowding(TOY, 1, 1)
  crowding.look_at("a, record 0", np.zeros((3, 5), np.int32))
  assert crowding.count == 0
