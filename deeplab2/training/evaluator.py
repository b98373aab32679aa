"""Evaluation of a model on a set of images, on orbit.

Losses are taken at the size that the model sees. Panoptic maps go back to the
size of each image and are scored there, as the benchmarks do.

Devices and hosts share the work of the model. What comes out is brought
together in the order of the images, and every host scores all of it: the sums
are those of a single device, to the last digit.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
import orbit
import tensorflow as tf

from deeplab2.metrics.panoptic_quality import PanopticQuality
from deeplab2.metrics.panoptic_quality_result import PanopticQualityResult
from deeplab2.training import strategies
from deeplab2.training.truth import Truth

# Names of images travel from host to host in so many bytes, longer ones cut.
_NAME_BYTES = 512


class Scored(NamedTuple):
  """One evaluated image."""

  name: str
  image: np.ndarray  # H W 3  uint8, as the model saw it, without padding
  size: tuple[int, int]  # h w of the image in the records
  prediction: np.ndarray  # h w  int32 panoptic ids
  truth: Truth | None  # None where the images have no labels


class Observer(Protocol):
  """Something that looks at every image of an evaluation."""

  def start(self) -> None:
    """An evaluation begins."""

  def see(self, scored: Scored) -> None:
    """The next image was evaluated."""

  def finish(self, step: int) -> None:
    """The evaluation of the model after `step` updates is over."""


class Evaluation(NamedTuple):
  """What an evaluation found."""

  step: int  # updates that the model had
  images: int
  losses: dict[str, float]  # means over the images; empty without labels
  quality: PanopticQualityResult | None  # None without labels
  missing: int = 0  # images besides that could not be read, and do not count

  def to_dict(self, class_names) -> dict[str, Any]:
    """For JSON."""
    found = {
      "step": self.step,
      "images": self.images,
      "missing_images": self.missing,
      "losses": self.losses,
    }
    if self.quality is not None:
      found["panoptic_quality"] = self.quality.to_dict(class_names)
    return found

  def scalars(self, class_names) -> dict[str, float]:
    """Name -> number for TensorBoard: losses, and PQ, SQ, RQ in all cuts."""
    found = {f"losses/{name}": v for name, v in self.losses.items()}
    found["missing_images"] = float(self.missing)
    if self.quality is None:
      return found
    for cut, summary in self.quality.summaries.items():
      for measure in ("pq", "sq", "rq"):
        found[f"{measure}/{cut}"] = getattr(summary, measure)
    for i in np.flatnonzero(self.quality.counted):
      for measure in ("pq", "sq", "rq"):
        value = float(getattr(self.quality, measure)[i])
        found[f"{measure}_per_class/{class_names[i]}"] = value
    return found


class _Shown(NamedTuple):
  """Of the images of a batch, what does not come from the model."""

  name: Any  # b  string; with several hosts b n  int32, its bytes
  image: Any  # b H W 3  float16, whole numbers of 0..255
  valid_size: Any  # b 2  int32
  raw_size: Any  # b 2  int32


class _State:
  """What adds up over an evaluation."""

  def __init__(self, dataset):
    self.quality = PanopticQuality(
      dataset.num_classes,
      dataset.thing_ids,
      dataset.ignore_label,
      dataset.divisor,
    )
    self.losses: dict[str, float] = {}
    self.images = 0
    self.missing = 0


class Evaluator(orbit.StandardEvaluator):
  """Evaluates a meta-architecture's model; see the module's docstring."""

  def __init__(
    self,
    architecture,
    batches: tf.data.Dataset,
    global_step,
    *,
    batch_size: int,
    truths: Callable[[int], Truth] | None,
    observers: Iterable[Observer] = (),
    use_tf_function: bool = True,
  ):
    """Args:
    architecture: the MetaArchitecture, built in the strategy's scope.
    batches: of Batch, finite; on several hosts, this one's part of each batch.
    global_step: counts the updates that the model had.
    batch_size: images in a full batch, a multiple of the devices.
    truths: number of an image -> its truth; None where there are no labels.
    observers: are shown every image.
    use_tf_function: compile the step; without, it can be debugged line by line.
    """
    self._strategy = tf.distribute.get_strategy()
    self._hosts = strategies.hosts_of(self._strategy)
    part = batch_size // self._hosts.count
    super().__init__(
      strategies.distribute(
        self._strategy,
        batches.map(lambda batch: filled_up(batch, part)),
        to_devices=False,
      ),
      orbit.StandardEvaluatorOptions(use_tf_function=use_tf_function),
    )
    self._architecture = architecture
    self._global_step = global_step
    self._truths = truths
    self._observers = list(observers)

  def observe(self, observer: Observer) -> None:
    """Shows every image to `observer` from the next evaluation on."""
    self._observers.append(observer)

  def eval_begin(self):
    for observer in self._observers:
      observer.start()
    return _State(self._architecture.dataset)

  @tf.autograph.experimental.do_not_convert
  def eval_step(self, iterator):
    """What is shown, losses and maps of a batch, of all devices together."""
    batch = next(iterator)
    outputs = self._strategy.run(
      self._predict, args=(batch.image, batch.targets)
    )
    shown = self._strategy.run(self._shown, args=(batch,))
    return tf.nest.map_structure(
      lambda value: strategies.joined(self._strategy, value), (shown, outputs)
    )

  def _shown(self, batch) -> _Shown:
    """What scores and observers want of a batch, ready to travel."""
    name = batch.name
    if self._hosts.count > 1:
      codes = tf.io.decode_raw(name, tf.uint8, fixed_length=_NAME_BYTES)
      name = tf.cast(codes, tf.int32)
    # Half floats hold 0..255 as they are, and hosts can send them.
    image = tf.cast(tf.clip_by_value(tf.round(batch.image), 0, 255), tf.float16)
    return _Shown(name, image, batch.valid_size, batch.raw_size)

  def _predict(self, image, targets):
    """In the replica context: the terms of the loss, each b, and the map."""
    prediction = self._architecture.model(image, training=False)
    maps = self._architecture.postprocess(
      prediction, image.shape[1:3], semantic=False
    )
    if self._truths is None:
      return {}, maps.panoptic
    seed = tf.zeros(2, tf.int32)
    terms = self._architecture.loss(prediction, targets, seed=seed)
    return dict(terms), maps.panoptic

  def eval_reduce(self, state, step_outputs):
    shown, (terms, panoptic) = tf.nest.map_structure(
      lambda tensor: tensor.numpy(), step_outputs
    )
    heights = shown.valid_size[:, 0]
    for name, values in terms.items():
      total = float(np.sum(values[heights > 0], dtype=np.float64))
      state.losses[name] = state.losses.get(name, 0.0) + total
    # 0 is a repetition at the end, and below 0 is a record that was bad.
    for i in np.flatnonzero(heights):
      if heights[i] > 0:
        self._score(state, _scored(shown, panoptic, i))
      else:
        state.missing += 1
    return state

  def _score(self, state, scored: Scored):
    if self._truths is not None:
      truth = self._truths(state.images + state.missing)
      scored = scored._replace(truth=truth)
      state.quality.update(truth.panoptic, scored.prediction, truth.crowd)
    state.images += 1
    for observer in self._observers:
      observer.see(scored)

  def eval_end(self, state) -> Evaluation:
    if not state.images:
      raise ValueError(
        "eval_dataset_options.file_pattern: expected an image to score; all "
        f"{state.missing} are bad."
      )
    step = int(self._global_step.numpy())
    for observer in self._observers:
      observer.finish(step)
    return Evaluation(
      step=step,
      images=state.images,
      losses={name: v / state.images for name, v in state.losses.items()},
      quality=state.quality.result() if self._truths is not None else None,
      missing=state.missing,
    )


def filled_up(batch, batch_size: int):
  """The batch with its last image repeated up to `batch_size`.

  The repetitions have a valid size of 0 and count for nothing. So the last
  batch has the shape of the others, and there is work for every device.
  """

  def repeated(tensor):
    missing = batch_size - tf.shape(tensor)[0]
    last = tf.repeat(tensor[-1:], missing, axis=0)
    full = tf.concat([tensor, last], axis=0)
    return tf.ensure_shape(full, [batch_size, *tensor.shape[1:]])

  real = tf.range(batch_size)[:, None] < tf.shape(batch.name)[0]
  full = tf.nest.map_structure(repeated, batch)
  return full._replace(valid_size=tf.where(real, full.valid_size, 0))


def _scored(shown: _Shown, panoptic, i: int) -> Scored:
  """Image i of a batch, padding removed and the map at its own size."""
  height, width = shown.valid_size[i]
  size = tuple(int(n) for n in shown.raw_size[i])
  name = shown.name[i]
  if not isinstance(name, bytes):
    name = bytes(name.astype(np.uint8)).rstrip(b"\0")
  return Scored(
    name=name.decode(),
    image=shown.image[i, :height, :width].astype(np.uint8),
    size=size,
    prediction=nearest(panoptic[i, :height, :width], size),
    truth=None,
  )


def nearest(panoptic: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  """A map resized to (height, width), corners on corners, without blending."""
  if panoptic.shape == size:
    return panoptic
  resized = tf.compat.v1.image.resize_nearest_neighbor(
    panoptic[None, ..., None], size, align_corners=True
  )
  return resized[0, ..., 0].numpy()
