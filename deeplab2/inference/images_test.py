import io

import numpy as np
import pytest
from PIL import Image

from deeplab2.inference import images

H, W = 5, 7


def _random_rgb(seed=0):
  return np.random.default_rng(seed).integers(0, 256, (H, W, 3), np.uint8)


def test_uint8_rgb_passes_unchanged():
  rgb = _random_rgb()
  np.testing.assert_array_equal(images.read_image(rgb), rgb)
  np.testing.assert_array_equal(images.read_image(Image.fromarray(rgb)), rgb)


def test_a_view_that_is_not_contiguous_is_read_in_its_own_order():
  rgb = _random_rgb()
  np.testing.assert_array_equal(images.read_image(rgb[:, ::-1]), rgb[:, ::-1])


def test_path_and_string_agree(tmp_path):
  rgb = _random_rgb()
  path = tmp_path / "a.png"
  Image.fromarray(rgb).save(path)
  np.testing.assert_array_equal(images.read_image(path), rgb)
  np.testing.assert_array_equal(images.read_image(str(path)), rgb)


@pytest.mark.parametrize("channel_axis", [True, False])
def test_grey_is_repeated_over_the_channels(channel_axis):
  grey = _random_rgb()[..., :1]
  result = images.read_image(grey if channel_axis else grey[..., 0])
  np.testing.assert_array_equal(result, np.repeat(grey, 3, axis=-1))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "YCbCr", "RGBA"])
def test_every_common_mode_becomes_rgb(mode):
  picture = Image.fromarray(_random_rgb()).convert(mode)
  result = images.read_image(picture)
  assert result.shape == (H, W, 3)
  assert result.dtype == np.uint8
  np.testing.assert_array_equal(result, picture.convert("RGB"))


def test_sixteen_bits_are_scaled_to_the_same_grey(tmp_path):
  grey = np.arange(H * W, dtype=np.uint16).reshape(H, W)
  path = tmp_path / "grey16.png"
  Image.fromarray(grey * 257).save(path)
  expected = np.repeat(grey[..., None], 3, axis=-1)
  np.testing.assert_array_equal(images.read_image(path), expected)
  np.testing.assert_array_equal(images.read_image(expected * 257), expected)


def test_what_is_transparent_becomes_the_grey_of_the_padding():
  rgba = np.concatenate([_random_rgb(), np.zeros((H, W, 1), np.uint8)], axis=-1)
  rgba[0, :, 3] = 255
  result = images.read_image(rgba)
  np.testing.assert_array_equal(result[0], rgba[0, :, :3])
  assert (result[1:] == 128).all()


def test_transparent_palette_colour_becomes_grey():
  picture = Image.fromarray(np.zeros((H, W), np.uint8), "P")
  picture.putpalette([255, 0, 0])
  picture.info["transparency"] = 0
  assert (images.read_image(picture) == 128).all()


def test_rotation_of_the_camera_is_carried_out(tmp_path):
  rgb = _random_rgb()
  exif = Image.Exif()
  exif[0x0112] = 6  # The camera was turned; the viewer turns by 90 degrees.
  path = tmp_path / "turned.png"
  Image.fromarray(rgb).save(path, exif=exif)
  np.testing.assert_array_equal(images.read_image(path), np.rot90(rgb, k=-1))


def test_missing_file_is_named(tmp_path):
  path = tmp_path / "none.jpg"
  with pytest.raises(FileNotFoundError) as error:
    images.read_image(path)
  assert str(error.value) == f"image: expected an image file; got {path}."


def test_file_that_is_no_picture_is_named(tmp_path):
  path = tmp_path / "text.jpg"
  path.write_text("not a picture")
  with pytest.raises(ValueError) as error:
    images.read_image(path)
  assert str(error.value) == (
    "image: expected a whole picture of a kind that Pillow reads, such as JPEG "
    f"or PNG; got a file that is no picture: {path}."
  )


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_truncated_file_is_named(tmp_path, kind):
  noise = np.random.default_rng(1).integers(0, 256, (61, 67, 3), np.uint8)
  buffer = io.BytesIO()
  Image.fromarray(noise).save(buffer, kind)
  path = tmp_path / "cut"
  path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
  with pytest.raises(ValueError, match=r"got a damaged file \(.+\): .*cut\.$"):
    images.read_image(path)


def test_huge_images_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
  path = tmp_path / "huge.png"
  Image.fromarray(_random_rgb()).save(path)
  monkeypatch.setattr(images, "MAX_PIXELS", H * W - 1)
  expected = "image: expected between 1 and 34 pixels; got height 5, width 7."
  for image in (path, _random_rgb()):
    with pytest.raises(ValueError) as error:
      images.read_image(image)
    assert str(error.value) == expected


def test_the_limit_of_pillow_has_the_same_kind_of_error(tmp_path, monkeypatch):
  path = tmp_path / "bomb.png"
  Image.fromarray(_random_rgb()).save(path)
  monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3)
  with pytest.raises(ValueError, match="more than 178956970 pixels: "):
    images.read_image(path)


@pytest.mark.parametrize(
  ("image", "message"),
  [
    (
      None,
      "image: expected a path, a PIL image or an array of uint8 h w 3; "
      "got NoneType.",
    ),
    (
      np.zeros((H, W, 3), np.float32),
      "image: expected values of type uint8 (0..255) or uint16 (0..65535); "
      "got float32.",
    ),
    (
      np.zeros((2, H, W, 3), np.uint8),
      "image: expected the shape height, width, channels with 3 channels (or "
      "1: grey, 4: RGBA), such as (480, 640, 3); got (2, 5, 7, 3).",
    ),
    (
      np.zeros((H, W, 2), np.uint8),
      "image: expected the shape height, width, channels with 3 channels (or "
      "1: grey, 4: RGBA), such as (480, 640, 3); got (5, 7, 2).",
    ),
    (
      np.zeros((0, W, 3), np.uint8),
      "image: expected between 1 and 178956970 pixels; got height 0, width 7.",
    ),
    (
      Image.fromarray(np.zeros((H, W), np.float32)),
      "image: expected 8 or 16 bits a channel; got a floating point picture.",
    ),
    (
      Image.fromarray(np.full((H, W), 70000, np.int32)),
      "image: expected 8 or 16 bits a channel; got grey values 70000..70000.",
    ),
  ],
)
def test_wrong_input_is_told_the_rule(image, message):
  with pytest.raises(ValueError) as error:
    images.read_image(image)
  assert str(error.value) == message
