"""Pictures in RGB, turned by EXIF."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.media import (
    MediaError,
    open_pictures,
    probe,
    read_frames,
    read_image,
    write_image,
)
from pipeline.media.image import resize
from tests.faults.inputs.valid_files import swapping_profile


def test_pictures_are_rgb_and_turned_by_exif(tmp_path: Path):
    image = np.zeros((40, 60, 3), np.uint8)
    image[:20, :30] = [250, 10, 20]
    write_image(tmp_path / "a.png", image)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), image)
    assert np.array_equal(read_image(tmp_path / "a.png"), image)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to display
    Image.fromarray(image).save(tmp_path / "b.jpg", exif=exif, quality=95, subsampling=0)
    turned = read_image(tmp_path / "b.jpg").astype(int)
    assert turned.shape == (60, 40, 3)
    assert np.abs(turned - np.rot90(image, -1)).mean() < 3


def test_grey_pictures_have_three_channels(tmp_path: Path):
    Image.new("L", (8, 6), 77).save(tmp_path / "grey.png")
    assert (read_image(tmp_path / "grey.png") == 77).all()


def test_what_is_no_picture_gets_a_sentence(tmp_path: Path):
    (tmp_path / "a.jpg").write_text("no picture")
    (tmp_path / "b.jpg").write_bytes(b"")
    for name in ("a.jpg", "b.jpg", "absent.jpg"):
        with pytest.raises(MediaError, match=name):
            read_image(tmp_path / name)


def test_a_folder_of_pictures_has_its_name_when_all_went_well_and_leaves_nothing_if_not(
    tmp_path: Path,
):
    image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    with pytest.raises(cv2.error), open_pictures(tmp_path / "broken") as write:
        list(map(write, (image, image[:0])))
    assert not list(tmp_path.iterdir())
    with open_pictures(tmp_path / "whole") as write:
        write(image)
        write(image[::-1])
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]
    assert (read_image(tmp_path / "whole" / "000001.png") == image[::-1]).all()


def test_resizing_averages_down_and_interpolates_up():
    frame = np.zeros((4, 4, 3), np.uint8)
    frame[::2, ::2] = 200
    assert (resize(frame, (2, 2)) == 50).all()  # the mean of each 2x2 area
    smooth = np.broadcast_to((np.arange(16, dtype=np.uint8) * 8)[None, :, None], (16, 16, 3))
    expected = cv2.resize(smooth, (32, 32), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(resize(smooth, (32, 32)), expected)
    assert resize(frame, (4, 4)) is frame


def test_transparency_lies_on_white(tmp_path: Path):
    pixels = np.zeros((4, 6, 4), np.uint8)
    pixels[:, :2] = [200, 100, 50, 255]
    pixels[:, 2:4] = [200, 100, 50, 128]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    picture = read_image(tmp_path / "a.png")
    upright = np.rot90(picture)
    assert (upright[:, :2] == [200, 100, 50]).all()
    np.testing.assert_allclose(upright[:, 2:4], np.full((4, 2, 3), [227, 177, 152]), atol=1)
    assert (upright[:, 4:] == 255).all()


def test_a_broken_profile_or_exif_costs_nothing(tmp_path: Path):
    image = Image.new("RGB", (64, 32), (200, 30, 60))
    for name, options in {
        "profile": {"icc_profile": b"no profile at all"},
        "exif": {"exif": b"Exif\0\0II*\0\xff\xff\xff\xff"},
    }.items():
        image.save(tmp_path / f"{name}.png", **({} if name == "exif" else options))
        image.save(tmp_path / f"{name}.jpg", quality=95, **options)
        for suffix in ("png", "jpg"):
            picture = read_image(tmp_path / f"{name}.{suffix}")
            np.testing.assert_allclose(picture[16, 32], [200, 30, 60], atol=4)


@pytest.mark.parametrize("suffix", ["avif", "jpg", "png", "tif", "webp"])
def test_a_profile_is_applied_whatever_the_format(tmp_path: Path, suffix: str):
    rough, name = Image.new("RGB", (64, 32), (200, 30, 60)), f"a.{suffix}"
    rough.save(tmp_path / name, quality=95)
    rough.save(tmp_path / f"profile-{name}", quality=95, icc_profile=swapping_profile())
    seen = [read_image(tmp_path / name), read_image(tmp_path / f"profile-{name}")]
    np.testing.assert_allclose(seen[0][16, 32], [200, 30, 60], atol=6)
    np.testing.assert_allclose(seen[1][16, 32], [30, 200, 60], atol=6)
    if suffix != "png":  # whose profile FFmpeg's binding does not survive
        frame = next(read_frames(tmp_path / f"profile-{name}"))
        np.testing.assert_allclose(frame[16, 32], [30, 200, 60], atol=6)
        assert probe(tmp_path / f"profile-{name}").notes == ("profile-converted",)


def test_a_size_beyond_belief_is_refused(tmp_path: Path):
    header = b"BM" + struct.pack("<6I2H6I", 100, 0, 54, 40, 2**30, 2**30, 1, 24, *(0,) * 6)
    (tmp_path / "a.bmp").write_bytes(header + bytes(99))
    with pytest.raises(MediaError, match=r"a\.bmp"):
        read_image(tmp_path / "a.bmp")


def test_a_real_profile_is_converted_to_srgb(shared_cases: Path):
    picture = read_image(shared_cases / "picture" / "p3.jpg")
    plain = np.asarray(Image.open(shared_cases / "picture" / "p3.jpg"))
    spread = [np.ptp(pixels.astype(int), axis=2).mean() for pixels in (picture, plain)]
    assert spread[0] > 1.05 * spread[1]  # skin is duller where P3 is taken for sRGB
    cutout = read_image(shared_cases / "picture" / "cutout_rgba.png")
    assert (cutout[0, 0] == 255).all()
