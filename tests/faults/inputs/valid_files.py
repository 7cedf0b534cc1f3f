"""A small valid file of every container, picture and sound format, to be damaged by `fuzz`."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from tests.faults.inputs.films import on_canvas, talker, write_film

_SMALL = on_canvas(talker, 96, 80, 80, 8, 0)
_QCIF = on_canvas(talker, 176, 144, 144, 16, 0)  # the least that H.263 knows
_DV = on_canvas(talker, 720, 576, 576, 72, 0)

# Encoders of picture and sound, and what else `write_film` is given.
_FILMS = {
    "a.mp4": ("libx264", "aac", {}),
    "front.mp4": ("libx264", "aac", {"muxing": {"movflags": "+faststart"}}),
    "fragments.mp4": ("libx264", "aac", {"muxing": {"movflags": "+frag_keyframe+empty_moov"}}),
    "hevc.mp4": ("libx265", "aac", {"coding": {"x265-params": "log-level=none:pools=none"}}),
    "a.mov": ("mjpeg", "pcm_s16be", {"pixels": "yuvj420p"}),
    "prores.mov": ("prores_ks", "pcm_s24le", {"pixels": "yuv422p10le"}),
    "a.m4v": ("mpeg4", "aac", {"muxer": "mp4"}),
    "a.3gp": ("h263", "aac", {"picture": _QCIF}),
    "a.mkv": ("libx264", "flac", {}),
    "ffv1.mkv": ("ffv1", "ac3", {"rate": 48_000}),
    "a.webm": ("libvpx-vp9", "libopus", {"rate": 48_000}),
    "av1.webm": ("libsvtav1", "libopus", {"rate": 48_000, "coding": {"preset": "8"}}),
    "vp8.webm": ("libvpx", "libopus", {"rate": 48_000}),
    "a.avi": ("mpeg4", "libmp3lame", {"rate": 44_100}),
    "raw.avi": ("rawvideo", "pcm_u8", {"seconds": 0.16}),
    "a.mpg": ("mpeg1video", "mp2", {"rate": 44_100}),
    "a.vob": ("mpeg2video", "mp2", {"coding": {"flags": "+ildct+ilme"}}),
    "a.ts": ("mpeg2video", "mp2", {"rate": 48_000}),
    "a.m2ts": ("libx264", "ac3", {"rate": 48_000}),
    "a.flv": ("flv1", "libmp3lame", {"rate": 44_100}),
    "a.wmv": ("wmv2", "ac3", {"rate": 48_000}),
    "a.mxf": ("mpeg2video", "pcm_s16le", {"rate": 48_000}),
    "a.dv": ("dvvideo", None, {"picture": _DV, "seconds": 0.12}),
    "a.ogv": ("vp8", "libopus", {}),
    "a.gif": ("gif", None, {"pixels": "rgb8"}),
}
_SOUNDS = {
    "a.wav": ("pcm_s16le", "stereo"),
    "float.wav": ("pcm_f32le", "5.1"),
    "a.mp3": ("libmp3lame", "stereo"),
    "a.flac": ("flac", "mono"),
    "a.opus": ("libopus", "stereo"),
    "a.m4a": ("aac", "stereo"),
    "alac.m4a": ("alac", "mono"),
    "surround.m4a": ("aac", "7.1"),
    "a.aac": ("aac", "mono"),
    "a.ac3": ("ac3", "5.1"),
    "a.wma": ("ac3", "mono"),
    "a.aiff": ("pcm_s16be", "mono"),
}


def write_valid_files(folder: Path) -> None:
    """Writes the files into an empty folder, the same bytes every time."""
    for name, (codec, sound, more) in _FILMS.items():
        film = {"seconds": 0.4, "picture": _SMALL} | more
        write_film(folder / name, codec=codec, sound=sound, **film)
    for name, (codec, layout) in _SOUNDS.items():
        write_film(
            folder / name, picture=None, seconds=0.4, sound=codec, rate=48_000, layout=layout
        )
    _write_pictures(folder)


def swapping_profile() -> bytes:
    """A colour profile like that of sRGB, but that its red is green."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for this, that in ((b"rXYZ", b"...."), (b"gXYZ", b"rXYZ"), (b"....", b"gXYZ")):
        profile = profile.replace(this, that)
    return profile.replace("sRGB".encode("utf-16-be"), "else".encode("utf-16-be"))


def _write_pictures(folder: Path) -> None:
    picture = Image.fromarray(_SMALL(0))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: a quarter turn
    exif[0x010F] = "maker"
    profile = swapping_profile()
    alpha = np.full((80, 96, 1), 128, np.uint8)
    transparent = Image.fromarray(np.concatenate([_SMALL(0), alpha], 2))
    for name in ("a.jpg", "a.png", "a.bmp", "a.tif", "a.webp", "a.avif"):
        picture.save(folder / name, exif=exif)
    picture.save(folder / "profile.jpg", icc_profile=profile)
    picture.save(folder / "profile.png", icc_profile=profile)
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    for name in ("alpha.png", "alpha.webp", "alpha.tif"):
        transparent.save(folder / name)
    Image.fromarray(np.arange(96 * 80, dtype=np.uint16).reshape(80, 96)).save(folder / "16bit.png")
    picture.save(
        folder / "animated.webp", save_all=True, append_images=[Image.fromarray(_SMALL(1))]
    )
