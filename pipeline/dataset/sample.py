"""The sample: what one clip is in a shard, written, read back and checked here and nowhere else.

Members of a sample, named `KEY.member` in the tar:

| member | content |
| --- | --- |
| `frames` | T JPEG pictures (4:4:4) end to end, a playable MJPEG stream; S x S RGB at 25 fps |
| `offsets.npy` | (T + 1,) int64: picture k is `frames[offsets[k]:offsets[k + 1]]` |
| `wav` | mono 16 kHz int16, T x 640 samples |
| `speech.npy` | (T, F) float32, the speech features of each frame |
| `landmarks.npy` | (T, 68, 2) float32, x and y in pixels of the crop |
| `mouth.npy` | (T, 4) int16, x0 y0 x1 y1 of the mouth in each frame, half open, inside the frame |
| `json` | `Meta`: where the clip came from and every option that shaped it |

Packed JPEG rather than intra-only H.264, which is a quarter smaller at the same PSNR: training
reads four frames at a time, and those cost several times as much (benchmarks/speed/RESULTS.md).
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.media import SAMPLES_PER_FRAME
from pipeline.media.audio import wav_bytes, wav_samples
from pipeline.media.image import encode_image

SCHEMA_VERSION = 1
MEMBERS = ("frames", "offsets.npy", "wav", "speech.npy", "landmarks.npy", "mouth.npy", "json")
MIN_PSNR = 42.0
_QUALITIES = (95, 97, 99, 100)


class Meta(TypedDict):
    """The `json` member."""

    schema_version: int
    clip_id: str
    source: str
    source_sha256: str
    speaker: str
    split: str
    frames: int
    image_size: int
    speech_dim: int
    source_fps: float
    source_size: list[int]
    source_audio_rate: int
    kept_seconds: list[float]
    landmark_backend: str
    interpolated_frames: int
    transforms: list[list[float]]
    frame_psnr: float
    jpeg_quality: int
    options: dict[str, Any]
    notes: NotRequired[list[str]]  # what was done to the file, see `pipeline.media.notes`
    # By how many frames the sound was late (positive) or early before `--align-sound` moved it.
    sound_lag: NotRequired[int]


class PackedFrames:
    """T pictures in one byte string, any of them read without decoding the others."""

    def __init__(self, data: bytes, offsets: NDArray[np.int64]) -> None:
        self.packed = data
        self.data = memoryview(data)
        self.offsets = offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Picture `index` as (S, S, 3) uint8 RGB; a negative index counts from the end."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        packed = np.frombuffer(self.data[self.offsets[index] : self.offsets[index + 1]], np.uint8)
        image = cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB) if len(packed) else None
        if image is None:
            raise ValueError(f"picture {index} is no JPEG")
        return image

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self[index] for index in range(len(self)))

    def stack(self) -> NDArray[np.uint8]:
        """All pictures: (T, S, S, 3) uint8 RGB."""
        return np.stack(list(self))


@dataclass(frozen=True, repr=False)
class Sample:
    """One clip, decoded from its members as far as is cheap: the pictures stay packed."""

    key: str
    frames: PackedFrames
    audio: NDArray[np.int16]
    speech: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    mouth: NDArray[np.int16]
    meta: Meta

    def __repr__(self) -> str:
        return (
            f"Sample({self.key!r}: {len(self.frames)} frames, audio {self.audio.shape}, "
            f"speech {self.speech.shape}, landmarks {self.landmarks.shape}, "
            f"mouth {self.mouth.shape}, meta {', '.join(self.meta)})"
        )


def pack_frames(
    frames: Iterable[NDArray[np.uint8]], quality: int
) -> tuple[bytes, NDArray[np.int64]]:
    """JPEG 4:4:4 pictures end to end, and the T + 1 offsets between them."""
    parts = [_jpeg(frame, quality) for frame in frames]
    return b"".join(parts), np.cumsum([0, *map(len, parts)], dtype=np.int64)


def _jpeg(frame: NDArray[np.uint8], quality: int) -> bytes:
    sampling = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    return encode_image(frame, ".jpg", cv2.IMWRITE_JPEG_QUALITY, quality, *sampling)


def pack_faithfully(
    make_frames: Callable[[], Iterable[NDArray[np.uint8]]],
) -> tuple[PackedFrames, int, float]:
    """Packs at the lowest quality that keeps the clip at 42 dB or more.

    Only what is packed stays in memory, so that a clip may be as long as it likes. Returns the
    pictures, the JPEG quality, and the PSNR in dB (capped at 99 for identity).
    """
    psnr = 0.0
    for quality in _QUALITIES:
        buffer, ends, errors = io.BytesIO(), [0], []
        for frame in make_frames():
            part = _jpeg(frame, quality)
            seen = cv2.imdecode(np.frombuffer(part, np.uint8), cv2.IMREAD_COLOR_RGB)
            buffer.write(part)
            ends.append(buffer.tell())
            errors.append(cv2.norm(frame, seen, cv2.NORM_L2SQR) / frame.size)
        psnr = min(99.0, float(10 * np.log10(255**2 / max(float(np.mean(errors)), 1e-12))))
        if psnr >= MIN_PSNR:
            break
    return PackedFrames(buffer.getvalue(), np.array(ends, np.int64)), quality, psnr


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _load_npy(data: bytes) -> NDArray[Any]:
    return np.load(io.BytesIO(data), allow_pickle=False)


def to_members(sample: Sample) -> dict[str, bytes]:
    """The members of a sample, in the order in which they lie in the tar."""
    return {
        "frames": sample.frames.packed,
        "offsets.npy": _npy(sample.frames.offsets),
        "wav": wav_bytes(sample.audio),
        "speech.npy": _npy(sample.speech),
        "landmarks.npy": _npy(sample.landmarks),
        "mouth.npy": _npy(sample.mouth),
        "json": json.dumps(sample.meta, ensure_ascii=False, allow_nan=False).encode(),
    }


def from_members(key: str, members: Mapping[str, bytes]) -> Sample:
    """A sample from its members' bytes.

    Raises:
        ValueError: a member is absent or does not parse; the message names it.
    """
    absent = [name for name in MEMBERS if name not in members]
    if absent:
        raise ValueError(f"sample {key} lacks {', '.join(absent)}")

    def parsed(name: str, parse: Callable[[bytes], Any]) -> Any:
        try:
            return parse(members[name])
        except Exception as error:  # numpy and wave raise half a dozen kinds on damaged bytes
            raise ValueError(f"sample {key}: {name} does not parse: {error}") from error

    return Sample(
        key=key,
        frames=PackedFrames(members["frames"], parsed("offsets.npy", _load_npy)),
        audio=parsed("wav", wav_samples),
        speech=parsed("speech.npy", _load_npy),
        landmarks=parsed("landmarks.npy", _load_npy),
        mouth=parsed("mouth.npy", _load_npy),
        meta=parsed("json", json.loads),
    )


def problems(sample: Sample) -> list[str]:
    """What in a sample breaks the contract, a sentence each; empty when nothing does."""
    meta = sample.meta
    absent = sorted(Meta.__required_keys__ - meta.keys())
    if absent:
        return [f"json lacks {', '.join(absent)}"]
    length, size = meta["frames"], meta["image_size"]
    found = []
    shapes: Iterable[tuple[str, NDArray[Any], tuple[int, ...], str]] = (
        ("wav", sample.audio, (length * SAMPLES_PER_FRAME,), "int16"),
        ("speech.npy", sample.speech, (length, meta["speech_dim"]), "float32"),
        ("landmarks.npy", sample.landmarks, (length, 68, 2), "float32"),
        ("mouth.npy", sample.mouth, (length, 4), "int16"),
        ("offsets.npy", sample.frames.offsets, (length + 1,), "int64"),
    )
    for name, array, shape, dtype in shapes:
        if array.shape != shape or array.dtype != dtype:
            found.append(f"{name} is {array.dtype}{array.shape}, not {dtype}{shape}")
    if found:
        return found
    if meta["schema_version"] != SCHEMA_VERSION:
        found.append(f"schema version {meta['schema_version']}, not {SCHEMA_VERSION}")
    if "." in sample.key or "/" in sample.key or sample.key != meta["clip_id"]:
        found.append(f"key {sample.key!r} is not the clip_id without dots and slashes")
    if not np.isfinite(sample.speech).all() or not np.isfinite(sample.landmarks).all():
        found.append("speech.npy or landmarks.npy holds a value that is not finite")
    x0, y0, x1, y1 = sample.mouth.T
    if not ((0 <= x0) & (x0 < x1) & (x1 <= size) & (0 <= y0) & (y0 < y1) & (y1 <= size)).all():
        found.append("a mouth box is empty or leaves the frame")
    found += _frame_problems(sample.frames, size)
    return found


def _frame_problems(frames: PackedFrames, size: int) -> list[str]:
    if frames.offsets[0] != 0 or frames.offsets[-1] != len(frames.data):
        return ["offsets.npy does not span the frames member"]
    for index in range(len(frames)):
        try:
            shape = frames[index].shape
        except (ValueError, cv2.error) as error:
            return [f"frame {index}: {error}"]
        if shape != (size, size, 3):
            return [f"frame {index} is {shape}, not {(size, size, 3)}"]
    return []
