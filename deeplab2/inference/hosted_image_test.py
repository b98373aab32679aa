import numpy as np
import pytest

from deeplab2.inference.hosted_image import HostedImage, image_function
from deeplab2.inference.preprocessing import InputFit
from deeplab2.inference.whole_image import WholeImage


@pytest.mark.parametrize("semantic", [True, False])
@pytest.mark.parametrize(
  "fit", [InputFit(crop_size=(65, 97)), InputFit(crop_size=(33, 49))]
)
def test_maps_are_those_of_the_whole_image(
  architecture, picture, fit, semantic
):
  expected = WholeImage(architecture, fit, semantic=semantic)(picture)
  found = HostedImage(architecture, fit, semantic=semantic)(picture)
  assert set(found) == set(expected)
  for name, values in expected.items():
    np.testing.assert_allclose(found[name], values, rtol=1e-6, err_msg=name)


def test_images_of_other_sizes_follow(architecture, picture):
  run = HostedImage(architecture, InputFit())
  for image in (picture, picture[:31, :45]):
    assert run(image)["panoptic_pred"].shape == (1, *image.shape[:2])


def test_tensorflow_needs_no_host_in_between(architecture):
  fit = InputFit(crop_size=(65, 97))
  assert isinstance(image_function(architecture, fit), WholeImage)


def test_prediction_leaves_out_the_semantic_map(architecture, picture):
  found = image_function(architecture, InputFit())(picture)
  assert "panoptic_pred" in found and "semantic_pred" not in found
