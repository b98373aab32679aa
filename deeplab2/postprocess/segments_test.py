import numpy as np
import pytest

from deeplab2.postprocess.segments import count_pixels, panoptic_from_slots
from deeplab2.structures import ClassLayout

B, H, W, N = 2, 7, 11, 5
LAYOUT = ClassLayout(
  thing_ids=(3, 1), stuff_ids=(0, 2, 4), ignore_label=9, divisor=17
)
CHANNEL = np.array([[0, 2, 2, 1, 4], [3, 3, 0, 0, 1]], np.int32)


def random_slots(seed):
  rng = np.random.default_rng(seed)
  slot = rng.integers(0, N, (B, H, W)).astype(np.int32)
  return slot, rng.random((B, H, W)) < 0.7


@pytest.mark.parametrize("seed", [0, 1])
def test_counts_are_those_of_each_image(seed):
  slot, _ = random_slots(seed)
  counts = count_pixels(slot, N).numpy()
  for i in range(B):
    expected = np.bincount(slot[i].ravel(), minlength=N)
    np.testing.assert_array_equal(counts[i], expected)


def test_without_limits_every_kept_pixel_shows_its_slot():
  slot, kept = random_slots(2)
  panoptic = panoptic_from_slots(slot, kept, CHANNEL, LAYOUT, 0, 0).numpy()
  class_id, instance = LAYOUT.codec.decode(panoptic)
  channel = np.take_along_axis(CHANNEL, slot.reshape(B, -1), 1)
  channel = channel.reshape(slot.shape)
  expected = np.where(kept, np.take(LAYOUT.class_ids, channel), 9)
  np.testing.assert_array_equal(class_id, expected)
  np.testing.assert_array_equal(
    instance, np.where(kept & (channel < 2), slot + 1, 0)
  )


def test_nothing_kept_is_all_void():
  slot, kept = random_slots(3)
  panoptic = panoptic_from_slots(slot, kept & False, CHANNEL, LAYOUT, 0, 0)
  assert (panoptic.numpy() == 9 * 17).all()


def test_limits_count_things_by_slot_and_stuff_by_class():
  slot, kept = random_slots(4)
  counts = count_pixels(np.where(kept, slot, N), N + 1).numpy()
  stuff = counts[0, 1] + counts[0, 2]  # both slots are of channel 2
  assert counts[0, 0] < stuff
  panoptic = panoptic_from_slots(
    slot, kept, CHANNEL, LAYOUT, counts[0, 0] + 1, stuff
  ).numpy()[0]
  assert not (panoptic == 3 * 17 + 1).any()
  assert (panoptic == 0).sum() == stuff
