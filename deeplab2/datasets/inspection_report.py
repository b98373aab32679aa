"""An inspection in words and columns."""

import numpy as np

from deeplab2.datasets.description import DatasetDescription
from deeplab2.datasets.inspection import Inspection


def describe(found: Inspection, dataset: DatasetDescription) -> str:
  """Statistics as text: totals, sizes, and one line a class."""
  parts = [_totals(found)]
  if found.sizes:
    parts.append(_sizes(found))
  if found.num_labelled:
    parts += [_contents(found), _classes(found, dataset)]
  return "\n".join(parts)


def describe_bad(found: Inspection) -> str:
  """One paragraph a bad record."""
  lines = []
  for bad in found.bad:
    name = f" ({bad.name})" if bad.name else ""
    lines.append(f"{bad.file}, record {bad.record}{name}:")
    lines += [f"  {problem}" for problem in bad.problems]
  return "\n".join(lines)


def describe_crowding(
  found: Inspection, max_things: int, max_segments: int | None
) -> str:
  """A line a limit of the config that images exceed; "" if none does.

  Args:
    found: the inspection.
    max_things: `max_thing_id`.
    max_segments: `num_mask_slots`.
  """
  limits = [("things", "max_thing_id", max_things, found.things_an_image)]
  if max_segments:
    limits.append(
      ("segments", "num_mask_slots", max_segments, found.segments_an_image)
    )
  lines = []
  for what, field, limit, counts in limits:
    above = sum(images for number, images in counts.items() if number > limit)
    if above:
      lines.append(
        f"{above} images hold more {what} than {field}, {limit}: no error, but "
        "not all of them are learnt from"
      )
  return "\n".join(lines)


def to_dict(found: Inspection) -> dict:
  """For JSON: how many records there are, and which are bad."""
  return {
    "records": found.num_records,
    "labelled": found.num_labelled,
    "bytes": found.num_bytes,
    "most_things": max(found.things_an_image, default=0),
    "most_segments": max(found.segments_an_image, default=0),
    "bad": [bad._asdict() for bad in found.bad],
  }


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
    f"segments  at most {max(found.segments_an_image)} in an image, of which "
    f"things at most {max(found.things_an_image)}"
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
