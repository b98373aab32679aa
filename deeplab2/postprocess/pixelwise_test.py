import numpy as np
import pytest
import tensorflow as tf

from deeplab2.postprocess.pixelwise import PixelwiseThresholds, merge_pixelwise
from deeplab2.structures import ClassLayout, MaskPrediction

# b batch, h w of the logits, H W of the image, n slots.
B, h, w, H, W, N = 2, 5, 7, 17, 23, 11
VOID = 0
LAYOUT = ClassLayout(
  thing_ids=(2, 5, 3), stuff_ids=(1, 4), ignore_label=VOID, divisor=13
)
THINGS = len(LAYOUT.thing_ids)
OPEN = PixelwiseThresholds(class_confidence=0.0, pixel_confidence=0.0)
STRICT = PixelwiseThresholds(
  class_confidence=0.4, pixel_confidence=0.45, thing_area=9, stuff_area=40
)


def random_prediction(seed, batch=B):
  rng = np.random.default_rng(seed)
  return MaskPrediction(
    mask_logits=rng.normal(0, 2, (batch, h, w, N)).astype(np.float32),
    class_logits=rng.normal(0, 2, (batch, N, LAYOUT.num_channels)).astype(
      np.float32
    ),
    pixel_features=None,
    semantic_logits=None,
  )


def merge(prediction, thresholds, size=(H, W)):
  result = merge_pixelwise(prediction, size, LAYOUT, thresholds)
  return type(result)(*(x.numpy() for x in result))


def softmax(x):
  x = np.exp(x - x.max(-1, keepdims=True))
  return x / x.sum(-1, keepdims=True)


def slow_upsampled(logits, size):
  """Interpolates one pixel after the other: h w n -> H W n."""
  out = np.zeros((*size, logits.shape[-1]))
  for y in range(size[0]):
    for x in range(size[1]):
      v = y * (logits.shape[0] - 1) / max(size[0] - 1, 1)
      u = x * (logits.shape[1] - 1) / max(size[1] - 1, 1)
      top, left = int(v), int(u)
      for row, row_weight in ((top, 1 - v + top), (top + 1, v - top)):
        for column, weight in ((left, 1 - u + left), (left + 1, u - left)):
          if row_weight * weight > 0:
            out[y, x] += row_weight * weight * logits[row, column]
  return out


def slow_panoptic(mask_logits, class_logits, rule):
  """The rule as one would say it, pixel by pixel and segment by segment."""
  probability = softmax(class_logits.astype(np.float64))[:, :-1]
  channel, sureness = probability.argmax(-1), probability.max(-1)
  alive = sureness >= rule.class_confidence
  logits = slow_upsampled(mask_logits, (H, W))
  panoptic = np.full((H, W), VOID * LAYOUT.divisor)
  for y in range(H):
    for x in range(W):
      slot = logits[y, x].argmax()
      share = softmax(np.where(alive, logits[y, x], -np.inf))
      if alive[slot] and share[slot] > rule.pixel_confidence:
        instance = slot + 1 if channel[slot] < THINGS else 0
        class_id = LAYOUT.class_ids[channel[slot]]
        panoptic[y, x] = class_id * LAYOUT.divisor + instance
  for segment in np.unique(panoptic):
    thing = segment // LAYOUT.divisor in LAYOUT.thing_ids
    limit = rule.thing_area if thing else rule.stuff_area
    if (panoptic == segment).sum() < limit:
      panoptic[panoptic == segment] = VOID * LAYOUT.divisor
  return panoptic


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("thresholds", [OPEN, STRICT])
def test_agrees_with_the_slow_reference(seed, thresholds):
  prediction = random_prediction(seed)
  result = merge(prediction, thresholds)
  for i in range(B):
    expected = slow_panoptic(
      prediction.mask_logits[i], prediction.class_logits[i], thresholds
    )
    np.testing.assert_array_equal(result.panoptic[i], expected)


def test_strict_thresholds_leave_void_things_and_stuff():
  panoptic = merge(random_prediction(2), STRICT).panoptic
  classes = set(np.unique(panoptic // LAYOUT.divisor))
  assert VOID in classes
  assert classes & set(LAYOUT.thing_ids)
  assert classes & set(LAYOUT.stuff_ids)


def test_types_and_sizes():
  result = merge(random_prediction(3), STRICT)
  for field, value in result._asdict().items():
    assert value.shape == (B, H, W), field
    expected = np.float32 if "score" in field else np.int32
    assert value.dtype == expected, field


def test_semantic_map_knows_no_threshold():
  prediction = random_prediction(4)
  strict, opened = merge(prediction, STRICT), merge(prediction, OPEN)
  np.testing.assert_array_equal(strict.semantic, opened.semantic)
  np.testing.assert_array_equal(
    opened.semantic, opened.panoptic // LAYOUT.divisor
  )


@pytest.mark.parametrize("thresholds", [OPEN, STRICT])
def test_other_maps_do_not_need_the_semantic_one(thresholds):
  prediction = random_prediction(4)
  expected = merge(prediction, thresholds)
  found = merge_pixelwise(
    prediction, (H, W), LAYOUT, thresholds, semantic=False
  )
  assert found.semantic is None
  for field in set(expected._fields) - {"semantic"}:
    np.testing.assert_array_equal(
      getattr(found, field), getattr(expected, field), err_msg=field
    )


def test_scores_are_the_probabilities_of_slot_and_class():
  prediction = random_prediction(5)
  result = merge(prediction, OPEN)
  share = softmax(slow_upsampled(prediction.mask_logits[0], (H, W)))
  sureness = softmax(prediction.class_logits[0])[:, :-1].max(-1)
  np.testing.assert_allclose(result.instance_score[0], share.max(-1), rtol=1e-5)
  np.testing.assert_array_equal(result.instance[0], share.argmax(-1) + 1)
  np.testing.assert_allclose(
    result.semantic_score[0], sureness[share.argmax(-1)], rtol=1e-5
  )


def test_order_of_slots_only_renames_instances():
  prediction = random_prediction(6)
  order = np.random.default_rng(0).permutation(N)
  shuffled = prediction._replace(
    mask_logits=prediction.mask_logits[..., order],
    class_logits=prediction.class_logits[:, order],
  )
  one, other = merge(prediction, STRICT), merge(shuffled, STRICT)
  np.testing.assert_array_equal(one.semantic, other.semantic)
  np.testing.assert_array_equal(one.instance, order[other.instance - 1] + 1)
  np.testing.assert_array_equal(
    one.panoptic // LAYOUT.divisor, other.panoptic // LAYOUT.divisor
  )


def test_mirrored_logits_give_mirrored_maps():
  prediction = random_prediction(7)
  mirrored = prediction._replace(mask_logits=prediction.mask_logits[:, :, ::-1])
  np.testing.assert_array_equal(
    merge(mirrored, STRICT).panoptic,
    merge(prediction, STRICT).panoptic[:, :, ::-1],
  )


def test_images_of_a_batch_do_not_mix():
  prediction = random_prediction(8, batch=3)
  together = merge(prediction, STRICT)
  for i in range(3):
    alone = merge(
      prediction._replace(
        mask_logits=prediction.mask_logits[i : i + 1],
        class_logits=prediction.class_logits[i : i + 1],
      ),
      STRICT,
    )
    for field in together._fields:
      # Kernels round a value by its place, so scores may differ by a bit.
      np.testing.assert_allclose(
        getattr(together, field)[i],
        getattr(alone, field)[0],
        rtol=3e-7 if "score" in field else 0,
        err_msg=field,
      )


def test_image_without_a_sure_slot_is_void_and_its_neighbour_is_not():
  prediction = random_prediction(9)
  prediction.class_logits[1] = 0.0
  result = merge(prediction, STRICT)
  assert (result.panoptic[0] != VOID * LAYOUT.divisor).any()
  assert (result.panoptic[1] == VOID * LAYOUT.divisor).all()
  assert (result.instance[1] == 1).all()
  assert (result.instance_score[1] == 0).all()
  assert (result.semantic_score[1] == 0).all()


def two_slots(channels, split):
  """Slot 0 has the columns left of `split`, slot 1 the others, all surely."""
  mask_logits = np.full((1, H, W, 2), -50.0, np.float32)
  mask_logits[:, :, :split, 0] = 50.0
  mask_logits[:, :, split:, 1] = 50.0
  class_logits = np.full((1, 2, LAYOUT.num_channels), -50.0, np.float32)
  class_logits[0, [0, 1], channels] = 50.0
  return MaskPrediction(mask_logits, class_logits, None, None)


@pytest.mark.parametrize(
  "limit, void_columns", [(3 * H, 0), (3 * H + 1, 3), (20 * H + 1, W)]
)
def test_things_of_one_class_need_their_area_each(limit, void_columns):
  rule = PixelwiseThresholds(thing_area=limit)
  panoptic = merge(two_slots([1, 1], split=3), rule).panoptic[0]
  assert (panoptic == VOID * LAYOUT.divisor).sum() == void_columns * H


@pytest.mark.parametrize("limit, kept", [(W * H, True), (W * H + 1, False)])
def test_stuff_of_one_class_needs_its_area_together(limit, kept):
  rule = PixelwiseThresholds(stuff_area=limit)
  panoptic = merge(two_slots([THINGS, THINGS], split=3), rule).panoptic[0]
  class_id = LAYOUT.stuff_ids[0] if kept else VOID
  assert (panoptic == class_id * LAYOUT.divisor).all()


def test_a_dropped_slot_keeps_its_pixels_void():
  prediction = two_slots([0, 1], split=3)
  prediction.class_logits[0, 0] = 0.0
  panoptic = merge(prediction, PixelwiseThresholds()).panoptic[0]
  assert (panoptic[:, :3] == VOID * LAYOUT.divisor).all()
  assert (panoptic[:, 3:] == LAYOUT.thing_ids[1] * LAYOUT.divisor + 2).all()


def test_of_equal_slots_a_left_one_shows_and_the_first_gives_the_class():
  mask_logits = np.ones((1, h, w, 3), np.float32)
  mask_logits[..., 0] = -1
  # Likeliest are channels 0, 1 and 2; the first two slots are dropped.
  class_logits = np.zeros((1, 3, LAYOUT.num_channels), np.float32)
  class_logits[0, range(3), range(3)] = 0.1, 0.1, 9
  prediction = random_prediction(0, 1)._replace(
    mask_logits=mask_logits, class_logits=class_logits
  )
  result = merge(prediction, PixelwiseThresholds(pixel_confidence=0.0))
  assert (result.panoptic // LAYOUT.divisor == LAYOUT.class_ids[2]).all()
  assert (result.semantic == LAYOUT.class_ids[1]).all()


def test_graph_with_unknown_sizes_agrees_with_eager():
  prediction = random_prediction(10)
  merge_any = tf.function(
    lambda masks, classes, size: merge_pixelwise(
      MaskPrediction(masks, classes, None, None),
      (size[0], size[1]),
      LAYOUT,
      STRICT,
    ),
    input_signature=[
      tf.TensorSpec((None, None, None, N)),
      tf.TensorSpec((None, N, LAYOUT.num_channels)),
      tf.TensorSpec((2,), tf.int32),
    ],
  )
  for size in [(H, W), (h, w), (9, 31)]:
    result = merge_any(prediction.mask_logits, prediction.class_logits, size)
    expected = merge(prediction, STRICT, size)
    np.testing.assert_array_equal(result.panoptic, expected.panoptic)
    np.testing.assert_array_equal(result.semantic, expected.semantic)


@pytest.mark.parametrize("semantic", [True, False])
def test_fixed_shapes_change_nothing_and_compile(semantic):
  prediction = random_prediction(12)
  expected = merge(prediction, STRICT)
  compiled = tf.function(
    lambda prediction: merge_pixelwise(
      prediction,
      (H, W),
      LAYOUT,
      STRICT,
      fixed_shapes=True,
      semantic=semantic,
    ),
    jit_compile=True,
  )
  tensors = prediction._replace(
    mask_logits=tf.constant(prediction.mask_logits),
    class_logits=tf.constant(prediction.class_logits),
  )
  found = compiled(tensors)._asdict()
  assert (found["semantic"] is not None) == semantic
  for field, values in found.items():
    if values is not None:
      np.testing.assert_allclose(
        values, getattr(expected, field), rtol=1e-5, err_msg=field
      )


def test_half_precision_logits_are_merged_in_float32():
  prediction = random_prediction(11)
  half = prediction._replace(
    mask_logits=tf.cast(prediction.mask_logits, tf.bfloat16),
    class_logits=tf.cast(prediction.class_logits, tf.bfloat16),
  )
  widened = prediction._replace(
    mask_logits=tf.cast(half.mask_logits, tf.float32),
    class_logits=tf.cast(half.class_logits, tf.float32),
  )
  for one, other in zip(
    merge(half, STRICT), merge(widened, STRICT), strict=True
  ):
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
  "field, value, message",
  [
    (
      "class_confidence",
      1.5,
      "class_confidence: expected a value of 0..1, such as 0.7; got 1.5.",
    ),
    (
      "pixel_confidence",
      float("nan"),
      "pixel_confidence: expected a value of 0..1, such as 0.7; got nan.",
    ),
    (
      "thing_area",
      -1,
      "thing_area: expected 0 or more pixels, such as 100; got -1.",
    ),
    (
      "stuff_area",
      -7,
      "stuff_area: expected 0 or more pixels, such as 100; got -7.",
    ),
  ],
)
def test_thresholds_out_of_range_are_refused(field, value, message):
  with pytest.raises(ValueError) as error:
    PixelwiseThresholds(**{field: value})
  assert str(error.value) == message


def test_more_slots_than_instance_ids_are_refused():
  layout = ClassLayout(LAYOUT.thing_ids, LAYOUT.stuff_ids, VOID, divisor=N)
  with pytest.raises(ValueError) as error:
    merge_pixelwise(random_prediction(0), (H, W), layout, STRICT)
  assert str(error.value) == (
    f"divisor: expected more than the number of mask slots ({N}), such as "
    f"{2 * N}; got {N}."
  )
