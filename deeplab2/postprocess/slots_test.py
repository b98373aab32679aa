import numpy as np
import pytest

from deeplab2.postprocess import slots
from deeplab2.structures import ClassLayout

B, H, W, N, M, C = 2, 5, 7, 11, 3, 4
LAYOUT = ClassLayout(
  thing_ids=(5, 1), stuff_ids=(0,), ignore_label=9, divisor=17
)


def random_values(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def random_slots(*shape, seed=1):
  return np.random.default_rng(seed).integers(0, N, shape).astype(np.int32)


def test_the_class_of_a_slot_is_its_likeliest_but_never_void():
  logits = random_values(B, N, C)
  logits[0, 2] = [0, 1, 0, 9]  # void is by far the likeliest
  channel, probability = slots.classes_of_slots(logits)
  np.testing.assert_array_equal(channel, logits[..., :-1].argmax(-1))
  share = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  np.testing.assert_allclose(probability, share[..., :-1].max(-1), rtol=1e-5)


def test_look_up_takes_each_image_from_its_own_table():
  table, slot = random_values(B, N), random_slots(B, H, W)
  found = slots.look_up(table, slot)
  for i in range(B):
    np.testing.assert_array_equal(found[i], table[i][slot[i]])


def test_logits_of_slots_are_those_of_each_image():
  logits, some = random_values(B, H, W, N), random_slots(B, M)
  found = slots.logits_of_slots(logits, some)
  for i in range(B):
    np.testing.assert_array_equal(found[i], logits[i][..., some[i]])


def test_semantic_map_has_class_ids_of_the_dataset():
  channel = random_slots(B, N) % 3
  slot = random_slots(B, H, W, seed=2)
  semantic = slots.semantic_of_pixels(slot, channel, LAYOUT)
  for i in range(B):
    expected = np.take(LAYOUT.class_ids, channel[i][slot[i]])
    np.testing.assert_array_equal(semantic[i], expected)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_top_slot_is_the_first_of_the_largest(seed):
  logits = np.round(random_values(B, H, W, N, seed=seed))  # many ties
  value, slot = slots.top_slot(logits)
  np.testing.assert_array_equal(value, logits.max(-1))
  np.testing.assert_array_equal(slot, logits.argmax(-1))


def test_the_top_probability_is_that_of_the_top_slot():
  logits = random_values(B, H, W, N)
  share = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  np.testing.assert_allclose(
    slots.top_probability(logits, logits.max(-1)), share.max(-1), rtol=1e-5
  )


def test_the_top_probability_of_large_logits_does_not_overflow():
  logits = 1000.0 + random_values(B, H, W, N)
  found = slots.top_probability(logits, logits.max(-1))
  assert np.isfinite(found).all()
