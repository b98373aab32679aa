import numpy as np
import pytest

from deeplab2.structures import ClassLayout, PanopticCodec

LAYOUT = ClassLayout(
  thing_ids=(5, 2), stuff_ids=(1, 3), ignore_label=0, divisor=7
)


@pytest.mark.parametrize("divisor", [7, 256, 1000])
def test_decoding_takes_back_encoding(divisor):
  codec = PanopticCodec(divisor)
  semantic, instance = np.mgrid[:11, :divisor]
  panoptic = codec.encode(semantic, instance)
  assert len(np.unique(panoptic)) == panoptic.size
  for found, expected in zip(
    codec.decode(panoptic), (semantic, instance), strict=True
  ):
    np.testing.assert_array_equal(found, expected)


def test_channels_are_things_then_stuff_then_void():
  assert LAYOUT.class_ids == (5, 2, 1, 3)
  assert LAYOUT.num_channels == 5
  assert LAYOUT.codec == PanopticCodec(7)
