"""An inspection in words and columns."""

import numpy as np

from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.inspection import Inspection

_MOST_BAD = 20


def describe(found: Inspection, dataset: DatasetDescription) -> str:
  """Statistics as text: totals, sizes, and one line a class."""
  parts = [_totals(found)]
  if found.sizes:
    parts.append(_sizes(found))
  if found.num_labelled:
    parts += [_contents(found), _classes(found, dataset)]
  return "\n".join(parts)


def describe_bad(found: Inspection) -> str:
  """One paragraph a bad record, at most twenty."""
  lines = []
  for bad in found.bad[:_MOST_BAD]:
    name = f" ({bad.name})" if bad.name else ""
    lines.append(f"{bad.place}{name}:")
    lines += [f"  {problem}" for problem in bad.problems]
  left = len(found.bad) - _MOST_BAD
  if left > 0:
    lines.append(f"and {left} more")
  return "\n".join(lines)


def _totals(found: Inspection) -> str:
  megabytes = found.num_bytes / 2**20
  return (
    f"records   {found.num_records} ({found.num_labelled} labelled, "
    f"{len(found.bad)} bad), {megabytes:.1f} MiB"
  )


def _sizes(found: Inspection) -> str:
  heights, widths = np.array(list(found.sizes.elements())).T
  return "\n".join(
    f"{name:9} {values.min()} .. {values.max()} pixels, "
    f"median {np.median(values):.0f}"
    for name, values in (("height", heights), ("width", widths))
  )


def _contents(found: Inspection) -> str:
  total = found.pixels.sum() + found.void_pixels
  return (
    f"void      {found.void_pixels / total:.2%} of the pixels\n"
    f"segments  at most {found.most_segments} in an image, of which things at "
    f"most {found.most_things}"
  )


def _classes(found: Inspection, dataset: DatasetDescription) -> str:
  total = found.pixels.sum() + found.void_pixels
  width = max(len(name) for name in ("class", *dataset.class_names))
  head = (
    f"{'id':>4}  {'class':{width}}  kind    images  segments  crowds  pixels"
  )
  lines = ["", head]
  for class_id in (*dataset.thing_ids, *dataset.stuff_ids):
    kind = "thing" if class_id in dataset.thing_ids else "stuff"
    lines.append(
      f"{class_id:4}  {dataset.class_names[class_id]:{width}}  {kind}  "
      f"{found.images[class_id]:8}  {found.segments[class_id]:8}  "
      f"{found.crowds[class_id]:6}  {found.pixels[class_id] / total:6.2%}"
    )
  return "\n".join(lines)
