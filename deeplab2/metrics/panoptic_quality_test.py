import collections
import json
import pickle

import numpy as np
import pytest

from deeplab2.metrics.panoptic_quality import PanopticQuality

H, W = 23, 29
THINGS = (3, 1)
CASES = [  # divisor, ignore label, classes
  (10, 0, 6),
  (256, 255, 5),
  (1000, 2, 7),
]


def random_pair(seed, divisor, ignore_label, num_classes):
  """A map of boxes, a shifted and relabelled copy, and some crowd."""
  rng = np.random.default_rng(seed)
  truth = np.full((H, W), ignore_label * divisor)
  ids = [ignore_label * divisor]
  for _ in range(9):
    class_id = int(rng.integers(num_classes))
    instance = int(rng.integers(1, 5)) if class_id in THINGS else 0
    top, left = rng.integers(0, H - 3), rng.integers(0, W - 3)
    height, width = rng.integers(3, 13, 2)
    if class_id != ignore_label:
      ids.append(class_id * divisor + instance)
    truth[top : top + height, left : left + width] = ids[-1]
  prediction = np.roll(truth, rng.integers(-1, 2, 2), (0, 1))
  for panoptic in np.unique(prediction):
    if rng.random() < 0.3:
      prediction[prediction == panoptic] = rng.choice(ids)
  crowd = np.isin(truth, rng.choice(ids, 2)) & (rng.random((H, W)) < 0.95)
  return truth, prediction, crowd


def slow_counts(images, divisor, ignore_label):
  """Per class [sum of IoU, tp, fp, fn], by comparing all masks with all."""
  counts = collections.defaultdict(lambda: [0.0, 0, 0, 0])
  for truth, prediction, crowd in images:
    void = truth // divisor == ignore_label
    predicted = {
      i: prediction == i
      for i in np.unique(prediction)
      if i // divisor != ignore_label
    }
    true = {
      (i, crowded): (truth == i) & (crowd == crowded)
      for i in np.unique(truth)
      for crowded in (False, True)
      if i // divisor != ignore_label
    }
    true = {key: mask for key, mask in true.items() if mask.any()}
    found = set()
    for (i, crowded), mask in true.items():
      if crowded:
        continue
      for j, guess in predicted.items():
        union = (mask | (guess & ~void)).sum()
        iou = (mask & guess).sum() / union
        if i // divisor == j // divisor and iou > 0.5:
          counts[i // divisor][0] += iou
          counts[i // divisor][1] += 1
          found |= {(i, crowded), j}
      counts[i // divisor][3] += (i, crowded) not in found
    for j, guess in predicted.items():
      crowds = [
        mask
        for (i, crowded), mask in true.items()
        if crowded and i // divisor == j // divisor
      ]
      forgiven = (guess & void).sum()
      forgiven += (guess & crowds[-1]).sum() if crowds else 0
      if j not in found and forgiven <= guess.sum() / 2:
        counts[j // divisor][2] += 1
  return counts


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("divisor, ignore_label, num_classes", CASES)
def test_agrees_with_the_slow_reference(
  seed, divisor, ignore_label, num_classes
):
  images = [
    random_pair(100 * seed + i, divisor, ignore_label, num_classes)
    for i in range(7)
  ]
  quality = PanopticQuality(num_classes, THINGS, ignore_label, divisor)
  for image in images:
    quality.update(*image)
  result = quality.result()
  expected = slow_counts(images, divisor, ignore_label)
  total = []
  for class_id in range(num_classes):
    iou, tp, fp, fn = expected[class_id]
    assert [result.tp[class_id], result.fp[class_id], result.fn[class_id]] == [
      tp,
      fp,
      fn,
    ]
    if tp + fp + fn:
      total.append(iou / (tp + fp / 2 + fn / 2))
      assert result.pq[class_id] == total[-1]
      np.testing.assert_allclose(
        result.sq[class_id] * result.rq[class_id], result.pq[class_id]
      )
    else:
      assert np.isnan(result.pq[class_id])
  assert result.all.classes == len(total)
  np.testing.assert_allclose(result.all.pq, np.mean(total), rtol=1e-15)


def test_random_pairs_hold_every_kind_of_event():
  quality = PanopticQuality(6, THINGS, 0, 10)
  crowds = 0
  for seed in range(7):
    truth, prediction, crowd = random_pair(seed, 10, 0, 6)
    quality.update(truth, prediction, crowd)
    crowds += crowd.any()
  result = quality.result()
  assert min(result.tp.sum(), result.fp.sum(), result.fn.sum(), crowds) > 0


def test_a_perfect_map_has_quality_one():
  truth, _, _ = random_pair(0, 10, 0, 6)
  quality = PanopticQuality(6, THINGS, 0, 10)
  quality.update(truth, truth)
  result = quality.result()
  for summary in result.summaries.values():
    assert (summary.pq, summary.sq, summary.rq) == (1.0, 1.0, 1.0)
  assert result.fp.sum() == result.fn.sum() == 0


def test_names_of_instances_do_not_matter():
  truth, prediction, crowd = random_pair(1, 10, 0, 6)
  renamed = prediction.copy()
  for i in np.unique(prediction):
    if i // 10 in THINGS:
      renamed[prediction == i] = i // 10 * 10 + 9 - i % 10
  one, other = (PanopticQuality(6, THINGS, 0, 10) for _ in range(2))
  one.update(truth, prediction, crowd)
  other.update(truth, renamed, crowd)
  assert one.result().all == other.result().all


def test_a_hand_made_case():
  # Class 1, a thing: 3 of 4 pixels found. Class 2, stuff: missed for class 4.
  truth = np.array([[11, 11, 11, 11, 20, 20]])
  prediction = np.array([[11, 11, 11, 20 * 2, 40, 40]])
  quality = PanopticQuality(5, (1,), 0, 10)
  quality.update(truth, prediction)
  result = quality.result()
  assert result.things.pq == 0.75
  assert result.stuff.pq == 0.0
  assert result.all.pq == 0.25
  assert (result.all.sq, result.all.rq) == (0.25, 1 / 3)
  assert (result.all.classes, result.all.of_classes) == (3, 4)
  np.testing.assert_array_equal(result.counted, [0, 1, 1, 0, 1])


def test_merged_parts_equal_one_pass():
  images = [random_pair(seed, 10, 0, 6) for seed in range(6)]
  whole, first, second = (PanopticQuality(6, THINGS, 0, 10) for _ in range(3))
  for i, image in enumerate(images):
    whole.update(*image)
    (first if i < 4 else second).update(*image)
  first.merge(pickle.loads(pickle.dumps(second)))
  result, expected = first.result(), whole.result()
  for field in ("tp", "fp", "fn"):
    np.testing.assert_array_equal(
      getattr(result, field), getattr(expected, field)
    )
  np.testing.assert_allclose(result.pq, expected.pq, rtol=1e-15)


def test_a_result_does_not_change_afterwards():
  quality = PanopticQuality(6, THINGS, 0, 10)
  quality.update(*random_pair(0, 10, 0, 6))
  result = quality.result()
  before = result.tp.copy()
  quality.update(*random_pair(1, 10, 0, 6))
  np.testing.assert_array_equal(result.tp, before)


def test_no_image_and_only_void_have_no_quality_and_no_warning():
  quality = PanopticQuality(6, THINGS, 0, 10)
  for _ in range(2):
    result = quality.result()
    assert result.all.classes == 0
    assert np.isnan([result.all.pq, result.things.sq, result.stuff.rq]).all()
    quality.update(np.zeros((H, W), int), np.zeros((H, W), int))


def test_void_of_any_instance_id_is_void():
  truth = np.array([[25, 25, 11]])  # class 2 is void
  quality = PanopticQuality(4, (1,), 2, 10)
  quality.update(truth, np.array([[11, 23, 11]]))
  result = quality.result()
  assert result.all.pq == 1.0
  assert result.all.classes == 1


@pytest.mark.parametrize(
  "call, message",
  [
    (
      lambda q: q.update(np.full((2, 3), 61), np.zeros((2, 3), int)),
      "truth_map: expected classes below 6 or the ignore label 0; got "
      "panoptic id 61, class 6.",
    ),
    (
      lambda q: q.update(np.zeros((2, 3), int), np.full((2, 3), 77)),
      "prediction_map: expected classes below 6 or the ignore label 0; got "
      "panoptic id 77, class 7.",
    ),
    (
      lambda q: q.update(
        np.zeros((2, 3), int), np.zeros((2, 3), int), np.zeros((3, 2), bool)
      ),
      "crowd: expected the shape of the truth, (2, 3); got (3, 2).",
    ),
    (
      lambda q: q.merge(PanopticQuality(6, (1, 2), 0, 10)),
      "other: expected the same classes, things, void and divisor; got "
      "(6, (1, 2), 0, 10) instead of (6, (1, 3), 0, 10).",
    ),
  ],
)
def test_misuse_is_named(call, message):
  with pytest.raises(ValueError) as error:
    call(PanopticQuality(6, THINGS, 0, 10))
  assert str(error.value) == message


def test_results_are_json():
  quality = PanopticQuality(6, THINGS, 0, 10)
  quality.update(*random_pair(0, 10, 0, 6))
  json.dumps(quality.result().to_dict([str(i) for i in range(6)]))


@pytest.mark.parametrize("case", CASES)
def test_qualities_come_from_the_counts(case):
  divisor, ignore_label, num_classes = case
  metric = PanopticQuality(num_classes, THINGS, ignore_label, divisor)
  for seed in range(5):
    metric.update(*random_pair(seed, *case))
  result = metric.result()
  count = result.tp + (result.fp + result.fn) / 2
  seen = (count > 0) & (np.arange(num_classes) != ignore_label)
  np.testing.assert_array_equal(result.counted, seen)
  np.testing.assert_array_equal(result.rq[seen], result.tp[seen] / count[seen])
  np.testing.assert_allclose(result.pq[seen], (result.sq * result.rq)[seen])
  for name in ("pq", "sq", "rq"):
    mean = getattr(result, name)[seen].mean()
    assert getattr(result.all, name) == pytest.approx(mean)
