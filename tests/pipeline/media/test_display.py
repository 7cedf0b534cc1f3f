"""Frames as they are shown: square pixels, upright, in the file's own colours."""

import gc
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageCms

from pipeline.media import probe, read_frames
from tests.faults.inputs.damage import joined, turned
from tests.faults.inputs.films import write_film
from tests.pipeline.media.numbered import HEIGHT, WIDTH, number_on, numbered, steady, write_numbered


def test_pixels_that_are_not_square_become_square(tmp_path: Path):
    film = write_numbered(tmp_path / "a.mp4", steady(3, 25), aspect=Fraction(16, 11))
    info, frames = probe(film), list(read_frames(film))
    assert (info.width, info.height) == (round(WIDTH * 16 / 11), HEIGHT)
    assert frames[0].shape == (info.height, info.width, 3)
    assert [number_on(frame) for frame in frames] == [0, 1, 2]


# a, b, c, d of QuickTime's matrix, and what NumPy makes of it.
_TURNS = {
    "90": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "180": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "270": ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
    "mirrored": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "upside down in a mirror": ((1, 0, 0, -1), lambda image: image[::-1]),
    "transposed": ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
    "transposed the other way": ((0, -1, -1, 0), lambda image: np.rot90(image, 2).swapaxes(0, 1)),
}


@pytest.mark.parametrize("turn", _TURNS)
def test_rotation_and_mirror_of_a_phone_are_applied(tmp_path: Path, turn: str):
    corners = np.array([[[240, 0, 0], [0, 240, 0]], [[0, 0, 240], [240, 240, 240]]], np.uint8)
    image = np.kron(corners, np.ones((HEIGHT // 2, WIDTH // 2, 1), np.uint8))
    matrix, as_shown = _TURNS[turn]
    film = tmp_path / "a.mp4"
    turned(lambda path: write_numbered(path, steady(3, 25), frames=[image] * 3), matrix)(film)

    wanted, info = as_shown(image), probe(film)
    got = next(read_frames(film))
    assert got.shape == wanted.shape == (info.height, info.width, 3)
    assert got.flags.c_contiguous
    height, width = got.shape[:2]
    for y in (height // 4, 3 * height // 4):
        for x in (width // 4, 3 * width // 4):
            np.testing.assert_allclose(got[y, x], wanted[y, x], atol=12)


@pytest.mark.slow
def test_pngs_are_turned_though_their_profile_may_not_be_looked_at(tmp_path: Path):
    image = np.zeros((32, 64, 3), np.uint8)
    image[:8, :8] = 200
    for turn in ("90", "180", "270"):
        matrix, as_shown = _TURNS[turn]
        film = tmp_path / f"{turn}.mov"
        make = partial(write_film, codec="png", pixels="rgb24", sound=None, seconds=0.08)
        turned(partial(make, picture=lambda _: image), matrix)(film)
        assert np.array_equal(next(read_frames(film)), as_shown(image))
    # PyAV 18.1 frees the profile's name twice, which ends the process when garbage is collected.
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(image).save(tmp_path / "a.png", icc_profile=profile)
    for _ in range(5):
        assert probe(tmp_path / "a.png").is_still
        assert np.array_equal(next(read_frames(tmp_path / "a.png")), image)
        gc.collect()


@pytest.mark.parametrize("aspect", [Fraction(1, 50), Fraction(50)])
def test_pixels_of_a_shape_beyond_belief_are_taken_for_square(tmp_path: Path, aspect: Fraction):
    film = write_numbered(tmp_path / "a.mp4", steady(3, 25), aspect=aspect)
    assert next(read_frames(film)).shape == (HEIGHT, WIDTH, 3)


def test_a_size_that_changes_on_the_way_does_not_change_the_frames(tmp_path: Path):
    # As the recording of a video call does: the picture is larger from half a second on.
    larger = [np.kron(numbered(k + 12), np.ones((2, 2, 1), np.uint8)) for k in range(13)]
    parts = (
        lambda path: write_numbered(path, steady(12, 25), options={"bf": "0"}),
        lambda path: write_numbered(
            path, [0.48 + t for t in steady(13, 25)], frames=larger, options={"bf": "0"}
        ),
    )
    joined(*parts)(tmp_path / "a.ts")
    frames = list(read_frames(tmp_path / "a.ts"))
    assert {frame.shape for frame in frames} == {(HEIGHT, WIDTH, 3)}
    assert [number_on(frame) for frame in frames] == list(range(25))


@pytest.mark.parametrize(("matrix", "red", "blue"), [(1, 0.2126, 0.0722), (6, 0.299, 0.114)])
@pytest.mark.parametrize("full_range", [False, True])
def test_colours_follow_the_matrix_and_range_of_the_file(
    tmp_path: Path, matrix: int, red: float, blue: float, full_range: bool
):
    # Y'CbCr by the formula of BT.709 (1) or BT.601 (6), in studio or in full range.
    r, g, b = rgb = np.array([200, 40, 60]) / 255
    y = red * r + (1 - red - blue) * g + blue * b
    chroma = (b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)
    planes = [255 * y, *(128 + 255 * c for c in chroma)]
    if not full_range:
        planes = [16 + 219 * y, *(128 + 224 * c for c in chroma)]
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 2 if full_range else 1
        for index in range(3):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane, value in zip(frame.planes, planes, strict=True):
                plane.update(bytes([round(value)]) * plane.buffer_size)
            frame.colorspace, frame.color_range = matrix, 2 if full_range else 1
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    got = next(read_frames(path)).mean((0, 1))
    np.testing.assert_allclose(got, rgb * 255, atol=4)
