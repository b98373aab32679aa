"""Tests of the whole MaX-DeepLab loss: terms, symmetries, options."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from deeplab2.losses import random_scenes, sampling
from deeplab2.losses.max_deeplab_loss import MaXDeepLabLoss, Term
from deeplab2.losses.random_scenes import (
  BATCH,
  HEIGHT,
  LAYOUT,
  SLOTS,
  WIDTH,
  scene,
)

TERMS = [
  "pq_style_loss_class_term",
  "pq_style_loss_mask_dice_term",
  "mask_id_cross_entropy_loss",
  "instance_discrimination_loss",
  "semantic_loss",
]
LOSS = MaXDeepLabLoss(layout=LAYOUT)


def assert_same(found, expected, rtol=1e-5):
  assert list(found) == list(expected)
  for name, value in expected.items():
    np.testing.assert_allclose(found[name], value, rtol=rtol, err_msg=name)


# The whole.


def test_terms_are_named_and_sum_to_the_total():
  terms = LOSS(*scene())
  assert list(terms) == [*TERMS, "total_loss"]
  for value in terms.values():
    assert value.shape == (BATCH,) and value.dtype == tf.float32
  np.testing.assert_allclose(
    terms["total_loss"], sum(terms[name] for name in TERMS), rtol=1e-6
  )


def test_weights_scale_their_terms():
  doubled = MaXDeepLabLoss(
    layout=LAYOUT,
    pq_style_weight=6.0,
    mask_id=Term(weight=0.6),
    instance=Term(weight=2.0),
    semantic=Term(weight=2.0),
  )
  expected = {name: 2.0 * value for name, value in LOSS(*scene()).items()}
  assert_same(doubled(*scene()), expected)


@pytest.mark.parametrize(
  "change, missing",
  [
    ({"pq_style_weight": 0.0}, TERMS[:2]),
    ({"mask_id": Term(weight=0.0)}, TERMS[2:3]),
    ({"pq_style_weight": 0.0, "mask_id": Term(weight=0.0)}, TERMS[:3]),
    ({"instance": Term(weight=0.0)}, TERMS[3:4]),
    ({"semantic": Term(weight=0.0)}, TERMS[4:]),
  ],
)
def test_a_weight_of_zero_leaves_the_term_out(change, missing):
  prediction, targets = scene()
  if "semantic" in change:
    prediction = prediction._replace(semantic_logits=None)
  terms = dataclasses.replace(LOSS, **change)(prediction, targets)
  assert set(TERMS) - set(terms) == set(missing)
  reference = LOSS(*scene())
  for name in terms.keys() - {"total_loss"}:
    np.testing.assert_allclose(terms[name], reference[name], rtol=1e-6)


def test_solvers_agree_and_xla_compiles_the_compiled_one():
  compiled = dataclasses.replace(LOSS, solver="compiled")
  expected = LOSS(*scene())
  found = tf.function(compiled, jit_compile=True)(*scene())
  assert_same({name: found[name] for name in expected}, expected)


def test_traced_with_any_batch_size():
  def signature(structure):
    return type(structure)(
      *(tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in structure)
    )

  inputs = scene()
  traced = tf.function(LOSS, input_signature=[*map(signature, inputs)])
  found = traced(*inputs)
  assert_same(
    {name: found[name] for name in [*TERMS, "total_loss"]}, LOSS(*inputs)
  )


# Symmetries.


def test_slots_have_no_order():
  prediction, targets = scene()
  order = np.random.default_rng(0).permutation(SLOTS)
  shuffled = prediction._replace(
    mask_logits=tf.gather(prediction.mask_logits, order, axis=3),
    class_logits=tf.gather(prediction.class_logits, order, axis=1),
  )
  assert_same(LOSS(shuffled, targets), LOSS(prediction, targets))


def test_things_have_no_order():
  prediction, targets = scene()
  order = np.random.default_rng(0).permutation(random_scenes.MAX_THINGS)
  renumbered = np.append(np.argsort(order), -1)[targets.thing_id]
  shuffled = targets._replace(
    thing_id=tf.constant(renumbered, tf.int32),
    thing_class=tf.gather(targets.thing_class, order, axis=1),
  )
  assert_same(LOSS(prediction, shuffled), LOSS(prediction, targets))


def test_pixels_have_no_order():
  prediction, targets = scene()
  mirror = lambda x: x[:, :, ::-1] if x.shape[1:3] == (HEIGHT, WIDTH) else x
  assert_same(
    LOSS(*(type(x)(*map(mirror, x)) for x in (prediction, targets))),
    LOSS(prediction, targets),
  )


def test_an_image_does_not_depend_on_its_batch():
  inputs = scene()
  together = LOSS(*inputs)
  for image in range(BATCH):
    alone = LOSS(*(type(x)(*(y[image : image + 1] for y in x)) for x in inputs))
    assert_same(alone, {k: v[image : image + 1] for k, v in together.items()})


def test_targets_of_the_image_are_strided():
  prediction, targets = scene(size=(4 * HEIGHT - 3, 4 * WIDTH - 3))
  small = type(targets)(
    *(x if x.shape.rank == 2 else x[:, ::4, ::4] for x in targets)
  )
  assert_same(LOSS(prediction, targets), LOSS(prediction, small))


def test_arithmetic_is_float32_whatever_comes_in():
  prediction, targets = scene()
  half = type(prediction)(*(tf.cast(x, tf.bfloat16) for x in prediction))
  same = type(prediction)(*(tf.cast(x, tf.float32) for x in half))
  assert_same(LOSS(half, targets), LOSS(same, targets), rtol=1e-7)


def test_the_void_mask_is_no_factor_of_the_loss_of_pixels():
  # What is predicted on void changes the class term alone.
  prediction, targets = scene()
  void = tf.cast(targets.semantic == 0, tf.float32)[..., None]
  noise = void * tf.random.stateless_normal([*void.shape[:3], SLOTS], (0, 1))
  moved = prediction._replace(mask_logits=prediction.mask_logits + noise)
  before, after = LOSS(prediction, targets), LOSS(moved, targets)
  for name in TERMS[1:]:
    np.testing.assert_allclose(after[name], before[name], rtol=1e-6)
  assert not np.allclose(after[TERMS[0]], before[TERMS[0]], rtol=1e-3)


# Options.


def test_top_k_keeps_the_hardest_pixels():
  hard = dataclasses.replace(
    LOSS,
    mask_id=Term(weight=0.3, top_k_percent=0.05),
    instance=Term(weight=1.0, top_k_percent=0.05),
    semantic=Term(weight=1.0, top_k_percent=0.05),
  )
  terms, reference = hard(*scene()), LOSS(*scene())
  for name in TERMS[:2]:
    np.testing.assert_array_equal(terms[name], reference[name])
  for name in TERMS[2:]:
    assert (terms[name].numpy() > 1.05 * reference[name].numpy()).all()


def sampled(pixels):
  samples = sampling.PixelSampling(pixels=pixels, temperature=0.6)
  return dataclasses.replace(
    LOSS, instance_sampling=samples, semantic_sampling=samples
  )


def test_samples_follow_from_the_seed():
  loss = sampled(31)
  first, again, other = (loss(*scene(), seed=(0, s)) for s in (1, 1, 2))
  assert_same(first, again, rtol=0)
  for name in TERMS[3:]:
    assert (first[name].numpy() != other[name].numpy()).all()
  assert_same(loss(*scene()), loss(*scene()), rtol=0)


def test_sampling_all_pixels_is_the_loss_of_all_pixels():
  terms = sampled(HEIGHT * WIDTH)(*scene(), seed=(3, 4))
  np.testing.assert_allclose(
    terms["semantic_loss"], LOSS(*scene())["semantic_loss"], rtol=1e-5
  )


def test_semantic_samples_are_not_those_of_the_instances(monkeypatch):
  seeds = []
  draw = sampling.sample_pixels
  monkeypatch.setattr(
    sampling,
    "sample_pixels",
    lambda *args: seeds.append(tuple(np.array(args[3]))) or draw(*args),
  )
  sampled(31)(*scene(), seed=(5, 6))
  assert len(set(seeds)) == 2


@pytest.mark.parametrize(
  "options, message",
  [
    (
      {"solver": "auction"},
      "solver: expected one of ['compiled', 'host', 'original']; got "
      "'auction'.",
    ),
    (
      {"positive_weight": 1.5},
      "positive_weight: expected 0 to 1, such as 0.75; got 1.5.",
    ),
    (
      {
        "pq_style_weight": 0.0,
        "mask_id": Term(weight=0.0),
        "instance": Term(weight=0.0),
        "semantic": Term(weight=0.0),
      },
      "pq_style_weight, mask_id, instance, semantic: expected one weight at "
      "least above 0; got (0.0, 0.0, 0.0, 0.0).",
    ),
  ],
)
def test_options_that_make_no_loss_are_refused(options, message):
  with pytest.raises(ValueError) as error:
    MaXDeepLabLoss(layout=LAYOUT, **options)
  assert str(error.value) == message


@pytest.mark.parametrize(
  "options, message",
  [
    ({"weight": -1.0}, "weight: expected at least 0, such as 1.0; got -1.0."),
    (
      {"weight": 1.0, "top_k_percent": 20},
      "top_k_percent: expected a fraction above 0 and up to 1, such as 0.2; "
      "got 20.",
    ),
  ],
)
def test_terms_out_of_range_are_refused(options, message):
  with pytest.raises(ValueError) as error:
    Term(**options)
  assert str(error.value) == message


def test_predictions_that_do_not_fit_are_refused():
  prediction, targets = scene()
  with pytest.raises(ValueError) as error:
    LOSS(prediction._replace(semantic_logits=None), targets)
  assert str(error.value) == (
    "prediction.semantic_logits: expected logits for a semantic term of weight "
    "1.0; got None."
  )
  with pytest.raises(ValueError) as error:
    LOSS(prediction._replace(class_logits=tf.zeros((2, SLOTS, 5))), targets)
  assert str(error.value) == (
    "prediction.class_logits: expected the layout's 6 channels; got 5."
  )
