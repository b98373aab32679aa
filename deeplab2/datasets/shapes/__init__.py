"""A synthetic panoptic dataset, drawn on the spot: plain shapes on textures.

It is written in COCO's own on-disk layout and takes the same way into records
as COCO does, so what works on it works on a real folder.
"""

from deeplab2.datasets.shapes.classes import CATEGORIES, SHAPES_PANOPTIC

__all__ = ["CATEGORIES", "SHAPES_PANOPTIC"]
