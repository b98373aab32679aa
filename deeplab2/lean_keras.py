"""Keras without packages that it imports and our programs never use through it.

TensorFlow imports Keras, orbit imports Keras 2 ("tf_keras"), and both whatever
they find of scikit-learn, pandas, matplotlib and OpenCV, all of which
tf-models-official brings along. They take a third of the time that `import
tensorflow` takes, and 0.15 GiB.

What is lost is what Keras lacks where they are not installed:

  scikit-learn  keras.wrappers.SKLearnClassifier and its kin
  matplotlib    the galleries of keras.visualization
  OpenCV        keras.visualization.draw_bounding_boxes
  pandas        a treatment of its own for a frame that goes to Model.fit,
                which is read as an array

A process that imports deeplab2 as a library may want all that. So programs
call for it, and `import deeplab2` does not.
"""

import sys

_KERAS = frozenset({"keras", "tf_keras"})
_EXTRAS = frozenset({"cv2", "matplotlib", "pandas", "sklearn"})


def leave_out_extras() -> None:
  """Has a Keras that is imported later go without what only it would import.

  Whoever else imports these packages finds them, at any time, and Keras has
  what was imported before it.
  """
  if "keras" not in sys.modules and _FINDER not in sys.meta_path:
    sys.meta_path.insert(0, _FINDER)


class _NothingForKeras:
  """Finds nothing, and ends Keras's search for an extra."""

  def find_spec(self, name, path=None, target=None):
    del path, target
    if name in _EXTRAS:
      asker = _who_imports()
      if asker in _KERAS and _is_being_imported(asker):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)


_FINDER = _NothingForKeras()


def _who_imports() -> str:
  """The package in whose file the import is written.

  While Keras is being imported, others may ask as well. PyTorch does, with
  `find_spec`, which must not raise.
  """
  frame = sys._getframe(2)  # whoever called the finder
  while frame and "importlib._bootstrap" in frame.f_code.co_filename:
    frame = frame.f_back
  module = frame.f_globals.get("__name__", "") if frame else ""
  return module.partition(".")[0]


def _is_being_imported(package: str) -> bool:
  spec = getattr(sys.modules.get(package), "__spec__", None)
  # No public attribute tells. Where there is none, nothing is left out.
  return getattr(spec, "_initializing", False)
