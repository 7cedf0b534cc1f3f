"""Ways to store frames: both give back the frame that was asked for."""

import pytest

from benchmarks.studies.frames import h264, jpeg, measure


@pytest.mark.parametrize("codec", [jpeg(95), h264("yuv444p", 4)], ids=lambda codec: codec.name)
def test_a_frame_is_read_back_from_its_place(face_frames, codec):
    frames = [frame[:128, :128] for frame in face_frames]
    name, worst, _, size, *_ = measure(codec, [frames])
    assert name == codec.name
    assert float(worst) > 35  # a neighbour, moved by a pixel, would have far less
    assert 500 < int(size.replace(",", "")) < 128 * 128 * 3 / 2
