"""Pictures in RGB, turned by EXIF."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from pipeline.media import MediaError, read_image, write_image

if TYPE_CHECKING:
    from pathlib import Path


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


def test_grey_and_transparent_pictures_have_three_channels(tmp_path: Path):
    Image.new("L", (8, 6), 77).save(tmp_path / "grey.png")
    Image.new("RGBA", (8, 6), (10, 20, 30, 128)).save(tmp_path / "clear.png")
    assert (read_image(tmp_path / "grey.png") == 77).all()
    assert (read_image(tmp_path / "clear.png") == [10, 20, 30]).all()


def test_what_is_no_picture_gets_a_sentence(tmp_path: Path):
    (tmp_path / "a.jpg").write_text("no picture")
    (tmp_path / "b.jpg").write_bytes(b"")
    for name in ("a.jpg", "b.jpg", "absent.jpg"):
        with pytest.raises(MediaError, match=name):
            read_image(tmp_path / name)
