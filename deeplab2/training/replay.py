"""A step taken once more outside of any graph, looked at layer by layer.

It runs each batch of the step on one device. That is what the devices of the
run computed together, drop path included, if they shared their batch
statistics. Nothing is changed: the averages of batch normalizations are put
back.
"""

import dataclasses
import math
import operator
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from deeplab2.layers.variable_paths import variables_by_path
from deeplab2.training import seeds
from deeplab2.training.layer_probe import floating, probing


class Extent(NamedTuple):
  """How large numbers are."""

  finite: bool
  largest: float  # absolute value, of those that are finite

  @classmethod
  def of(cls, tensors: Sequence) -> "Extent | None":
    """Of all numbers of some tensors; None of no tensor."""
    arrays = [np.asarray(t, np.float32) for t in tensors if t is not None]
    if not arrays:
      return None
    finite = [a[np.isfinite(a)] for a in arrays]
    return cls(
      all(f.size == a.size for f, a in zip(finite, arrays, strict=True)),
      max((float(np.abs(f).max()) for f in finite if f.size), default=0.0),
    )

  @classmethod
  def joint(cls, extents: Sequence["Extent | None"]) -> "Extent | None":
    """Of all numbers that these are of."""
    known = [extent for extent in extents if extent is not None]
    if not known:
      return None
    return cls(all(e.finite for e in known), max(e.largest for e in known))


class Row(NamedTuple):
  """A call of a layer, or the image, or a variable."""

  path: str
  kind: str
  shape: tuple[int, ...]
  output: Extent
  gradient: Extent | None  # of the total loss; None where it is not known


@dataclasses.dataclass(frozen=True, kw_only=True)
class Replay:
  """What a step was found to compute.

  Attributes:
    terms: name -> value of the terms of the loss, means over the batch.
    layers: one row a call, in the order of the forward pass; first the image.
    variables: one row a trained variable, with its value as the output.
    blamed_terms: those finite themselves whose gradient at the model's outputs
      is not.
  """

  terms: dict[str, float]
  layers: list[Row]
  variables: list[Row]
  blamed_terms: list[str]

  def findings(self) -> list[str]:
    """Where the first number is that is not finite, a line each."""
    bad = [row for row in self.variables if not row.output.finite]
    if bad:
      return [f"not finite before the step already: {_names(bad)}"]
    bad = [row for row in self.layers if not row.output.finite]
    if bad:
      return [
        f"first output not finite: {_title(bad[0])}, {len(bad)} of"
        f" {len(self.layers)} in all"
      ]
    terms = [n for n, v in self.terms.items() if not math.isfinite(v)]
    if terms:
      return [
        "all outputs of layers are finite; the loss itself is not:"
        f" {', '.join(terms)}"
      ]
    return self._gradient_findings()

  def _gradient_findings(self) -> list[str]:
    bad = [r for r in reversed(self.layers) if _is_bad(r.gradient)]
    lines = []
    if self.blamed_terms:
      lines.append(f"gradient not finite of: {', '.join(self.blamed_terms)}")
    if bad:
      lines.append(
        "first gradient not finite, going backward: that of the output of"
        f" {_title(bad[0])}"
      )
    bad = [row for row in self.variables if _is_bad(row.gradient)]
    if bad:
      lines.append(f"gradients not finite of variables: {_names(bad)}")
    return lines or [
      "everything is finite here; in the run another order of the same sums was"
      " not"
    ]


def replay_step(
  architecture, batch, step: int, *, seed: int, micro_batches: int = 1
) -> Replay:
  """Takes the forward and the backward pass of a step.

  Args:
    architecture: MetaArchitecture with the weights before the step.
    batch: Batch of the step, that of all its batches joined.
    step: its number.
    seed: of the run.
    micro_batches: batches that made the step, one after another.
  """
  images = len(batch.name)
  size = images // micro_batches
  passes = [
    _pass(
      architecture,
      tf.nest.map_structure(operator.itemgetter(slice(i, i + size)), batch),
      seeds.step_seed(seed, step, i),
      images,
    )
    for i in range(0, images, size)
  ]
  gradients = [
    _total(of_passes)
    for of_passes in zip(*(p.gradients for p in passes), strict=True)
  ]
  return Replay(
    terms={n: sum(p.terms[n] for p in passes) for n in passes[0].terms},
    layers=[
      _joint(rows) for rows in zip(*(p.layers for p in passes), strict=True)
    ],
    variables=[
      _row(path, "", [variable.value], [gradient])
      for (path, variable), gradient in zip(
        _trained(architecture.model).items(), gradients, strict=True
      )
    ],
    blamed_terms=list(dict.fromkeys(n for p in passes for n in p.blamed_terms)),
  )


class _Pass(NamedTuple):
  """What one batch of a step computes."""

  terms: dict[str, float]  # its part of the means over the step
  layers: list[Row]
  gradients: list  # an array a trained variable, None where it has no part
  blamed_terms: list[str]


def _pass(architecture, batch, seed, images: int) -> _Pass:
  """Of a batch of a step that has so many images in all."""
  model = architecture.model
  averages = [tf.identity(v.value) for v in model.non_trainable_variables]
  image = tf.convert_to_tensor(batch.image)
  targets = tf.nest.map_structure(tf.convert_to_tensor, batch.targets)
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(image)
    with probing(model) as outputs:
      prediction = model(image, training=True, seed=seed)
    losses = architecture.loss(prediction, targets, seed=seeds.loss_seed(seed))
    terms = {n: tf.reduce_sum(v) / images for n, v in losses.items()}
  for variable, value in zip(
    model.non_trainable_variables, averages, strict=True
  ):
    variable.assign(value)
  gradients = tape.gradient(
    terms["total_loss"],
    {
      "image": [image],
      "outputs": [list(output.tensors) for output in outputs],
      "variables": [v.value for v in _trained(model).values()],
    },
  )
  layers = [_row("image", "", [image], gradients["image"])]
  for output, gradient in zip(outputs, gradients["outputs"], strict=True):
    layers.append(_row(output.path, output.kind, output.tensors, gradient))
  return _Pass(
    terms={name: float(value) for name, value in terms.items()},
    layers=layers,
    gradients=[_dense(g) for g in gradients["variables"]],
    blamed_terms=_blamed(tape, terms, floating(prediction)),
  )


def _trained(model) -> dict:
  return {p: v for p, v in variables_by_path(model).items() if v.trainable}


def _total(gradients):
  """The sum of a variable's gradients; None where there is none."""
  known = [gradient for gradient in gradients if gradient is not None]
  return tf.add_n(known) if known else None


def _joint(rows: Sequence[Row]) -> Row:
  """One row for the calls of a layer on several batches."""
  return rows[0]._replace(
    output=Extent.joint([row.output for row in rows]),
    gradient=Extent.joint([row.gradient for row in rows]),
  )


def _row(path, kind, tensors, gradients) -> Row:
  return Row(
    path,
    kind,
    tuple(tensors[0].shape),
    Extent.of(tensors),
    Extent.of([_dense(g) for g in gradients]),
  )


def _dense(gradient):
  """Gradients of embeddings come as rows with repetitions."""
  if gradient is None:
    return None
  return tf.cast(tf.convert_to_tensor(gradient), tf.float32)


def _blamed(tape, terms, outputs) -> list[str]:
  """Finite terms with a gradient that is not."""
  blamed = []
  for name, value in terms.items():
    if name != "total_loss" and math.isfinite(float(value)):
      gradients = tape.gradient(value, outputs)
      if _is_bad(Extent.of([_dense(g) for g in gradients])):
        blamed.append(name)
  return blamed


def _is_bad(extent: Extent | None) -> bool:
  return extent is not None and not extent.finite


def _title(row: Row) -> str:
  return f"{row.path} ({row.kind})" if row.kind else f"the {row.path}"


def _names(rows: Sequence[Row], limit: int = 3) -> str:
  some = ", ".join(row.path for row in rows[:limit])
  rest = len(rows) - limit
  return f"{some}, and {rest} more" if rest > 0 else some


def table(replay: Replay) -> str:
  """The terms, then a line for each layer, then one for each variable."""
  lines = [f"{name:<40} {value:.6g}" for name, value in replay.terms.items()]
  for title, rows in (
    ("layer", replay.layers),
    ("variable", replay.variables),
  ):
    width = max(len(row.path) for row in rows)
    lines += ["", f"{title:<{width}}  {'max |value|':>12}  {'max |grad|':>12}"]
    lines += [
      f"{row.path:<{width}}  {_cell(row.output)}  {_cell(row.gradient)}"
      f"  {'x'.join(map(str, row.shape)):<18} {row.kind}".rstrip()
      for row in rows
    ]
  return "\n".join(lines)


def _cell(extent: Extent | None) -> str:
  if extent is None:
    return f"{'-':>12}"
  if not extent.finite:
    return f"{'NOT FINITE':>12}"
  return f"{extent.largest:>12.4g}"
