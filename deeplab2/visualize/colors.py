"""A colour a segment: that of its class, varied a little by the instance.

The variation is a function of the instance id alone, so a segment keeps its
colour from picture to picture and from run to run.
"""

import numpy as np

VOID_COLOR = (48, 48, 52)

# Steps of the golden and of the plastic ratio: ids that follow one another
# land far apart, and no two of the first thousand coincide.
_SHADE_STEP = 0.6180339887498949
_HUE_STEP = 0.7548776662466927
_MAX_SHADE = 0.32  # of the way to white or to black
_MAX_HUE = np.deg2rad(15)


def segment_colors(ids, dataset) -> np.ndarray:
  """Colours of panoptic ids: k -> k 3 uint8.

  Stuff has the colour of its class, and so has instance 0 of a thing.

  Args:
    ids: k panoptic ids.
    dataset: a DatasetDescription.
  """
  classes, instances = dataset.codec.decode(np.asarray(ids, np.int64))
  void = classes == dataset.ignore_label
  table = np.array(dataset.colors, np.float64)
  colors = table[np.where(void, 0, classes)]
  varied = np.isin(classes, dataset.thing_ids) & (instances > 0)
  colors[varied] = _vary(colors[varied], instances[varied])
  colors[void] = VOID_COLOR
  return np.round(colors).astype(np.uint8)


def color_panoptic(panoptic: np.ndarray, dataset) -> np.ndarray:
  """A panoptic map in colours: h w -> h w 3 uint8."""
  ids, place = np.unique(panoptic, return_inverse=True)
  return segment_colors(ids, dataset)[place.reshape(panoptic.shape)]


def _vary(colors, numbers):
  """Turns the hue and shifts the lightness: k 3, k -> k 3 of 0..255."""
  hue = _MAX_HUE * _spread(numbers, _HUE_STEP)
  shade = _MAX_SHADE * _spread(numbers, _SHADE_STEP)[:, None]
  turned = np.clip(_turn_hue(colors, hue), 0, 255)
  target = np.where(shade > 0, 255.0, 0.0)
  return turned + (target - turned) * np.abs(shade)


def _spread(numbers, step):
  """Whole numbers to well mixed values of -1..1."""
  return 2 * (numbers * step % 1.0) - 1


def _turn_hue(colors, angle):
  """Turns colours about the grey axis: k 3, k radians -> k 3."""
  grey = np.full(3, 3**-0.5)
  cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
  along = (colors @ grey)[:, None] * grey
  return colors * cosine + np.cross(grey, colors) * sine + along * (1 - cosine)
