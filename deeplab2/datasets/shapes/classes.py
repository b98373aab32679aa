"""The classes of the shapes set: six things told apart by outline, five stuffs.

Most things of a class have a typical hue, but not all: only the form is sure.
The ids have gaps, as COCO's have, so that nobody confuses category and class
ids.
"""

from deeplab2.datasets.categories import describe_categories

THINGS = {
  "disc": 1,
  "square": 2,
  "triangle": 3,
  "star": 5,
  "ring": 6,
  "cross": 8,
}
STUFF = {"sky": 20, "brick": 21, "grass": 23, "sand": 24, "water": 27}

_COLORS = {
  "disc": (228, 64, 52),
  "square": (64, 96, 230),
  "triangle": (250, 190, 30),
  "star": (200, 60, 200),
  "ring": (30, 200, 190),
  "cross": (250, 120, 20),
  "sky": (130, 190, 240),
  "brick": (150, 80, 70),
  "grass": (90, 160, 60),
  "sand": (225, 205, 150),
  "water": (40, 110, 150),
}

CATEGORIES = [
  {
    "id": category,
    "name": name,
    "isthing": int(name in THINGS),
    "color": list(_COLORS[name]),
    "supercategory": "thing" if name in THINGS else "stuff",
  }
  for name, category in {**THINGS, **STUFF}.items()
]

SHAPES_PANOPTIC = describe_categories(CATEGORIES, "shapes_panoptic")
