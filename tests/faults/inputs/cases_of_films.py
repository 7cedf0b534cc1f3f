"""Films that are whole but odd: streams, codecs, shapes, faces, times, sound."""

import io
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.faults.inputs.case import Case, failed, film, skipped
from tests.faults.inputs.damage import Make, joined, recoded, repacked, side_by_side, turned
from tests.faults.inputs.films import SIDE, Picture, on_canvas, talker, voice

_NO_FACE = ("no face", "landmarks")
_TOO_SHORT = ("fails clip_seconds >= 0.4", "landmarks")
_IN_ORDER = film(coding={"bf": "0", "g": "10"})
_FINE = {"b": "3000000"}  # old encoders are coarse by default
_OLD = {"codec": "mpeg1video", "sound": "mp2", "coding": _FINE}
_OPUS = {"sound": "libopus", "rate": 48_000}
_X265 = {"x265-params": "log-level=none:pools=none:frame-threads=1"}


# --- pictures -------------------------------------------------------------------------------------


def jpeg() -> bytes:
    """The face as a JPEG file."""
    picture = io.BytesIO()
    Image.fromarray(talker(0)).save(picture, "JPEG")
    return picture.getvalue()


def wall(_: float) -> NDArray[np.uint8]:
    """Nobody: smooth noise, the same all the time."""
    rough = np.random.default_rng(0).integers(60, 180, (9, 9, 3)).astype(np.uint8)
    return cv2.resize(rough, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def _seen(when: Callable[[float], bool]) -> Picture:
    """The face in a larger picture, with a sheet of paper before it when it is not to be seen."""

    def picture(time: float) -> NDArray[np.uint8]:
        image = on_canvas(talker, 640, 480, SIDE, 192, 112)(time)
        if not when(time + 1e-6):
            image[180:310, 260:390] = 150
        return image

    return picture


def _two(time: float) -> NDArray[np.uint8]:
    small = on_canvas(talker, SIDE, SIDE, 160, 48, 96)
    return np.concatenate([talker(time), small(time)], 1)


def _cut(time: float) -> NDArray[np.uint8]:
    return talker(time) if time < 0.599 else on_canvas(talker, SIDE, SIDE, 180, 76, 0)(time)


def _rotated(turns: int) -> Picture:
    """The face lying, by quarter turns to the left."""
    return lambda time: np.ascontiguousarray(np.rot90(talker(time), turns))


def _mirrored(time: float) -> NDArray[np.uint8]:
    return np.ascontiguousarray(talker(time)[:, ::-1])


def _squeezed(time: float) -> NDArray[np.uint8]:
    return cv2.resize(talker(time), (SIDE // 2, SIDE), interpolation=cv2.INTER_AREA)


def _going_on(time: float) -> NDArray[np.uint8]:
    return talker(time + 0.6)


def _two_fields(time: float) -> NDArray[np.uint8]:
    woven = talker(time)
    woven[1::2] = talker(time + 0.02)[1::2]
    return woven


_LARGER = on_canvas(_going_on, 320, 320, 320, 0, 0)
_HUGE = on_canvas(talker, 4096, 2160, 1600, 1200, 300)
_SMALL = on_canvas(talker, 1920, 1080, 112, 1300, 400)

# --- the rest -------------------------------------------------------------------------------------

_UNEVEN = [0, 0.03, 0.08, 0.1, 0.17, 0.2, 0.26, 0.3, 0.34, 0.41, 0.44, 0.5, 0.52, 0.6, 0.64, 0.7,
           0.75, 0.8, 0.82, 0.9, 0.96]  # fmt: skip
_INTERLACED = {
    "codec": "mpeg2video", "sound": "mp2", "picture": _two_fields,
    "coding": {"flags": "+ildct+ilme", **_FINE},
}  # fmt: skip


def _mp2(**shaped: Any) -> Make:
    return film(sound="mp2", **shaped)


def _changing(**other: Any) -> Make:
    """A film that is of another make after 0.6 s, as broadcasts are."""
    later = {"picture": _going_on, "speech": lambda time: voice(time + 0.6), "start": 1.6}
    return joined(_mp2(seconds=0.6, start=1), _mp2(seconds=0.4, **later | other))


def _hum(time: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sin(2 * np.pi * 100 * time) / 4


def _lose(lost: str) -> Callable[[str, float], float | None]:
    """Loses every packet of a kind."""
    return lambda kind, _: None if kind == lost else 0


def _cover(container: Any) -> None:
    container.add_attachment("cover.jpg", "image/jpeg", jpeg())


FILMS = [
    Case("plain.mp4", film(seconds=2), frames=50),
    # Streams.
    skipped("no sound.mp4", film(sound=None), "no sound", "decode"),
    failed("sound only.mp4", film(picture=None), "no video stream"),
    failed("sound and cover.mkv", film(picture=None, sound="flac", extra=_cover), "no video"),
    Case("cover beside it.mkv", film(extra=_cover)),
    failed("sound without a packet.mkv", repacked(_IN_ORDER, _lose("audio")), "nothing in it that"),
    failed("picture without a packet.mkv", repacked(_IN_ORDER, _lose("video")), "no frame in it"),
    failed("unknown picture codec.mp4", recoded(film(), b"avc1", b"zzz1"), "no decoder"),
    failed("unknown sound codec.mkv", recoded(film(), b"A_AAC", b"A_ZZZ"), "no decoder"),
    Case(
        "two pictures.mkv",
        side_by_side(_IN_ORDER, film(picture=wall, sound=None, coding={"bf": "0"})),
    ),
    Case("two sounds.mkv", side_by_side(_IN_ORDER, film(picture=None, speech=_hum))),
    Case("other size half-way.ts", _changing(picture=_LARGER)),
    Case("other sound half-way.ts", _changing(layout="stereo", rate=48_000), sound=0.9),
    # Codecs and containers.
    Case("hevc 10 bit.mp4", film(codec="libx265", pixels="yuv420p10le", coding=_X265)),
    Case("vp9.webm", film(codec="libvpx-vp9", **_OPUS)),
    Case("vp9 with alpha.webm", film(codec="libvpx-vp9", pixels="yuva420p", **_OPUS)),
    Case("av1.mkv", film(codec="libsvtav1", coding={"preset": "8"}, **_OPUS)),
    Case("mpeg1.mpg", film(**_OLD)),
    # Flagged as interlaced, though it is not: deinterlacing takes a little sharpness.
    Case("mpeg2 interlaced.vob", film(**_INTERLACED), psnr=29),
    Case(
        "h263.3gp",
        film(codec="h263", picture=on_canvas(talker, 352, 288, 256, 48, 16), coding=_FINE),
        psnr=16,
    ),
    Case("mjpeg.avi", film(codec="mjpeg", pixels="yuvj420p", sound="pcm_s16le", coding=_FINE)),
    Case("mpeg4.avi", film(codec="mpeg4", sound="ac3", rate=48_000, coding=_FINE)),
    Case("sorenson.flv", film(codec="flv1", sound="libmp3lame", rate=44_100, coding=_FINE)),
    Case("wmv.wmv", film(codec="wmv2", sound="ac3", rate=48_000, coding=_FINE)),
    Case("prores.mov", film(codec="prores_ks", pixels="yuv422p10le", sound="pcm_s16le")),
    Case(
        "png with alpha.mov",
        film(codec="png", pixels="rgba", seconds=0.4),
        frames=10,
        psnr=18,
    ),
    Case("grey.mp4", film(pixels="gray"), psnr=12),
    Case("colour in full.mp4", film(pixels="yuv444p")),
    # Shapes.
    Case("turned 90.mp4", turned(film(picture=_rotated(1)), (0, 1, -1, 0))),
    Case("turned 180.mp4", turned(film(picture=_rotated(2)), (-1, 0, 0, -1))),
    Case("turned 270.mp4", turned(film(picture=_rotated(3)), (0, -1, 1, 0))),
    Case("mirrored.mp4", turned(film(picture=_mirrored), (-1, 0, 0, 1))),
    Case("narrow pixels.mp4", film(picture=_squeezed, aspect=Fraction(2))),
    Case("pixels beyond belief.mp4", film(aspect=Fraction(100))),
    Case("odd size.mp4", film(pixels="yuv444p", picture=on_canvas(talker, 321, 243, 243, 39, 0))),
    skipped("16 x 16.mp4", film(picture=on_canvas(talker, 16, 16, 16, 0, 0)), *_NO_FACE),
    Case(
        "4096 x 2160.mp4",
        film(picture=_HUGE, seconds=0.4, coding={"preset": "ultrafast"}),
        frames=10,
        psnr=18,
    ),
    Case("small face in 1080p.mp4", film(picture=_SMALL, seconds=0.4), frames=10, psnr=18),
    # Faces.
    skipped("nobody.mp4", film(picture=wall), *_NO_FACE),
    Case("two faces.mp4", film(picture=_two), measures={"faces": (2, 2)}),
    Case("face leaves.mp4", film(picture=_seen(lambda t: t < 0.6)), frames=15),
    Case("face enters late.mp4", film(picture=_seen(lambda t: t >= 0.4)), frames=15, first=0.4),
    Case(
        "face comes back.mp4",
        film(picture=_seen(lambda t: not 0.4 <= t < 0.64)),
        frames=10,
        psnr=18,
    ),
    Case(
        "face hidden a moment.mp4",
        film(picture=_seen(lambda t: not 0.4 <= t < 0.56)),
        psnr=None,
        measures={"interpolated": (4, 4)},
    ),
    Case("scene cut.mp4", film(picture=_cut), frames=15, measures={"cuts": (1, 1)}),
    # Times.
    Case("12 a second.mp4", film(fps=12), psnr=25),
    Case(
        "29.97 a second.mp4", film(fps=Fraction(30_000, 1001), seconds=30 * 1.001 / 30), frames=26
    ),
    Case("60 a second.mp4", film(fps=60)),
    Case("1 a second.mp4", film(fps=1, seconds=2), frames=50, psnr=None),
    Case("1000 a second.mp4", film(fps=1000, seconds=0.4), frames=10, psnr=18),
    Case("variable rate.mp4", film(times=_UNEVEN), frames=26),
    skipped("one frame.mp4", film(seconds=0.04), *_TOO_SHORT),
    skipped("two frames.mp4", film(seconds=0.08), *_TOO_SHORT),
    failed("trimmed to nothing.mp4", film(start=-5), "no frame in it"),
    Case("trimmed at its beginning.mp4", film(start=-0.2), frames=20, first=0.2),
    Case("clock at 11 days.mkv", film(start=1e6)),
    Case("clock at 25 hours.ts", _mp2(start=9e4)),
    failed(
        "clock jumps.mkv",
        repacked(_IN_ORDER, lambda _, t: 0 if t < 0.5 else 36_000),
        "to 36000.5 s",
    ),
    failed("clock runs back.mpg", joined(film(**_OLD), film(**_OLD)), "put end to end"),
    Case(
        "begins between key frames.mkv",
        repacked(_IN_ORDER, lambda kind, t: None if kind == "video" and t < 0.2 else 0),
        frames=15,
        first=0.4,
    ),
    Case(
        "hole of half a second.mkv",
        repacked(_IN_ORDER, lambda _, t: None if 0.3 < t < 0.7 else 0),
        psnr=None,
        sound=None,
    ),
    # Sound.
    Case("8 kHz.mp4", film(rate=8000)),
    Case("8 kHz.avi", film(codec="mpeg4", sound="pcm_s16le", rate=8000, coding=_FINE)),
    Case("44.1 kHz stereo.mp4", film(rate=44_100, layout="stereo")),
    Case("48 kHz surround.mkv", film(sound="ac3", rate=48_000, layout="5.1")),
    Case("96 kHz.mkv", film(sound="flac", rate=96_000)),
    Case("sound late.mp4", film(sound_seconds=(0.4, 1)), sound=None),
    Case("sound early.mkv", film(sound="flac", sound_seconds=(-0.4, 1), start=1)),
    Case("sound short.mp4", film(sound_seconds=(0, 0.5)), sound=None),
    Case("sound long.mp4", film(sound_seconds=(0, 3))),
    Case("silence.mp4", film(speech=np.zeros_like), sound=None),
]
