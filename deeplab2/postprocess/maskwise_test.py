import numpy as np
import pytest
import tensorflow as tf

from deeplab2.layers.resize import resize_align_corners
from deeplab2.postprocess.maskwise import MaskwiseThresholds, merge_maskwise
from deeplab2.structures import ClassLayout, MaskPrediction

# b batch, h w of the logits, H W of the image, n slots.
B, h, w, H, W, N = 3, 5, 7, 17, 23, 11
LAYOUT = ClassLayout(
  thing_ids=(2, 5, 3), stuff_ids=(0, 4), ignore_label=7, divisor=13
)
THINGS = len(LAYOUT.thing_ids)
VOID = LAYOUT.ignore_label * LAYOUT.divisor
RULES = {
  "class order": MaskwiseThresholds(
    pixel_confidence=0.2,
    thing_class_confidence=0.4,
    stuff_class_confidence=0.5,
  ),
  "mask order": MaskwiseThresholds(
    pixel_confidence=0.12,
    thing_class_confidence=0.45,
    stuff_class_confidence=0.3,
    visible_fraction=0.8,
    class_weight=0.7,
    mask_weight=1.3,
    thing_area=7,
    stuff_area=20,
  ),
}


def random_prediction(seed, batch=B):
  rng = np.random.default_rng(seed)
  return MaskPrediction(
    rng.normal(0, 2, (batch, h, w, N)).astype(np.float32),
    rng.normal(0, 2, (batch, N, LAYOUT.num_channels)).astype(np.float32),
    None,
    None,
  )


def merge(prediction, thresholds, size=(H, W)):
  result = merge_maskwise(prediction, size, LAYOUT, thresholds)
  return type(result)(*(x.numpy() for x in result))


def softmax(x):
  x = np.exp(x - x.max(-1, keepdims=True))
  return x / x.sum(-1, keepdims=True)


def slow_maps(mask_logits, class_logits, rule):
  """One mask after the other onto a canvas: panoptic, instance, score."""
  probability = softmax(class_logits)[:, :-1]
  channel, sureness = probability.argmax(-1), probability.max(-1)
  small = softmax(mask_logits)
  full = softmax(resize_align_corners(mask_logits[None], (H, W)).numpy()[0])
  ranks = np.full((H, W), -1)
  score = np.zeros((H, W))
  panoptic = np.full((H, W), VOID)
  mask_sureness = np.zeros(N)
  for slot in range(N):
    own = small[..., slot][small[..., slot] > rule.pixel_confidence]
    mask_sureness[slot] = own.mean() if own.size else 0.0
  value = sureness**rule.class_weight * mask_sureness**rule.mask_weight
  for rank, slot in enumerate(np.argsort(-value, kind="stable")):
    thing = channel[slot] < THINGS
    limit = (
      rule.thing_class_confidence if thing else rule.stuff_class_confidence
    )
    mask = full[..., slot] > rule.pixel_confidence
    free = mask & (ranks < 0)
    covered_too_much = free.sum() <= rule.visible_fraction * mask.sum()
    if sureness[slot] < limit or covered_too_much:
      continue
    ranks[free], score[free] = rank, sureness[slot]
    class_id = LAYOUT.class_ids[channel[slot]]
    panoptic[free] = class_id * LAYOUT.divisor + (rank + 1 if thing else 0)
  for segment in np.unique(panoptic):
    thing = segment // LAYOUT.divisor in LAYOUT.thing_ids
    limit = rule.thing_area if thing else rule.stuff_area
    if (panoptic == segment).sum() < limit:
      panoptic[panoptic == segment] = VOID
  return panoptic, np.maximum(ranks, 0) + 1, score, full


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("rule", RULES)
def test_agrees_with_the_slow_reference(seed, rule):
  prediction = random_prediction(seed)
  result = merge(prediction, RULES[rule])
  for i in range(B):
    panoptic, instance, score, full = slow_maps(
      prediction.mask_logits[i], prediction.class_logits[i], RULES[rule]
    )
    np.testing.assert_array_equal(result.panoptic[i], panoptic)
    np.testing.assert_array_equal(result.instance[i], instance)
    np.testing.assert_allclose(result.semantic_score[i], score, rtol=1e-5)
    np.testing.assert_allclose(
      result.instance_score[i], full.max(-1), rtol=1e-5
    )


def test_rules_leave_void_things_and_stuff():
  panoptic = merge(random_prediction(0), RULES["mask order"]).panoptic
  classes = set(np.unique(panoptic // LAYOUT.divisor))
  assert LAYOUT.ignore_label in classes
  assert classes & set(LAYOUT.thing_ids)
  assert classes & set(LAYOUT.stuff_ids)


def nested_masks():
  """Slot 0: the middle columns, surest. Slot 1: all columns, less sure."""
  mask_logits = np.zeros((1, H, W, 3), np.float32)
  mask_logits[..., 2] = -50.0
  class_logits = np.full((1, 3, LAYOUT.num_channels), -50.0, np.float32)
  class_logits[0, 0, 0] = 50.0
  class_logits[0, 1, 1] = 1.5
  class_logits[0, 1, 2] = 0.0
  class_logits[0, 2, -1] = 50.0
  mask_logits[:, :, :8, 0] = mask_logits[:, :, 15:, 0] = -50.0
  return MaskPrediction(mask_logits, class_logits, None, None)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_other_maps_do_not_need_the_semantic_one(rule):
  prediction = random_prediction(0)
  expected = merge(prediction, rule)
  found = merge_maskwise(prediction, (H, W), LAYOUT, rule, semantic=False)
  assert found.semantic is None
  for field in set(expected._fields) - {"semantic"}:
    np.testing.assert_array_equal(
      getattr(found, field), getattr(expected, field), err_msg=field
    )


def test_the_surer_mask_lies_on_top():
  rule = MaskwiseThresholds(visible_fraction=0.5)
  panoptic = merge(nested_masks(), rule).panoptic[0]
  assert (panoptic[:, 8:15] == 2 * LAYOUT.divisor + 1).all()
  assert (panoptic[:, :8] == 5 * LAYOUT.divisor + 2).all()
  assert (panoptic[:, 15:] == 5 * LAYOUT.divisor + 2).all()


@pytest.mark.parametrize("fraction, pasted", [(0.69, True), (0.7, False)])
def test_a_mask_needs_its_visible_fraction(fraction, pasted):
  rule = MaskwiseThresholds(visible_fraction=fraction)  # 16 of 23 columns
  panoptic = merge(nested_masks(), rule).panoptic[0]
  assert (panoptic[:, :8] != VOID).all() == pasted


def test_nothing_sure_gives_void_and_no_scores():
  prediction = random_prediction(5)
  prediction.class_logits[1] = 0.0
  result = merge(prediction, RULES["class order"])
  assert (result.panoptic[1] == VOID).all()
  assert (result.instance[1] == 1).all()
  assert (result.instance_score[1] == 0).all()
  assert (result.semantic_score[1] == 0).all()
  assert (result.instance_score[0] > 0).all()


def test_images_of_a_batch_do_not_mix():
  prediction = random_prediction(6)
  together = merge(prediction, RULES["mask order"])
  for i in range(B):
    alone = merge(
      MaskPrediction(
        prediction.mask_logits[i : i + 1],
        prediction.class_logits[i : i + 1],
        None,
        None,
      ),
      RULES["mask order"],
    )
    for field in together._fields:
      # Kernels round a value by its place, so scores may differ by a bit.
      np.testing.assert_allclose(
        getattr(together, field)[i],
        getattr(alone, field)[0],
        rtol=3e-7 if "score" in field else 0,
        err_msg=field,
      )


def test_graph_with_unknown_sizes_agrees_with_eager():
  prediction = random_prediction(7)
  rule = RULES["class order"]
  merge_any = tf.function(
    lambda masks, classes, size: merge_maskwise(
      MaskPrediction(masks, classes, None, None),
      (size[0], size[1]),
      LAYOUT,
      rule,
    ),
    input_signature=[
      tf.TensorSpec((None, None, None, N)),
      tf.TensorSpec((None, N, LAYOUT.num_channels)),
      tf.TensorSpec((2,), tf.int32),
    ],
  )
  result = merge_any(prediction.mask_logits, prediction.class_logits, (H, W))
  expected = merge(prediction, rule)
  np.testing.assert_array_equal(result.panoptic, expected.panoptic)
  np.testing.assert_array_equal(result.instance, expected.instance)


@pytest.mark.parametrize(
  "field, value, message",
  [
    (
      "visible_fraction",
      -0.1,
      "visible_fraction: expected a value of 0..1, such as 0.7; got -0.1.",
    ),
    (
      "class_weight",
      -1.0,
      "class_weight: expected 0 or more, such as 1.0; got -1.0.",
    ),
    (
      "mask_weight",
      float("nan"),
      "mask_weight: expected 0 or more, such as 1.0; got nan.",
    ),
    (
      "stuff_area",
      -1,
      "stuff_area: expected 0 or more pixels, such as 100; got -1.",
    ),
  ],
)
def test_thresholds_out_of_range_are_refused(field, value, message):
  with pytest.raises(ValueError) as error:
    MaskwiseThresholds(**{field: value})
  assert str(error.value) == message
