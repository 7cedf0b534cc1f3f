"""Damage to files: cut off, overwritten, put together, their headers saying something else."""

import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.faults.inputs.films import REPEATABLE

Make = Callable[[Path], None]


def _changed(make: Make, change: Callable[[bytes], bytes]) -> Make:
    """Makes a file and changes its bytes."""

    def changed(path: Path) -> None:
        make(path)
        path.write_bytes(change(path.read_bytes()))

    return changed


def cut(make: Make, share: float) -> Make:
    """A file of which only the first part arrived."""
    return _changed(make, lambda whole: whole[: round(len(whole) * share)])


def zeroed(make: Make, first: float, last: float) -> Make:
    """A file with a hole, its shares `first` to `last` never written."""

    def with_hole(whole: bytes) -> bytes:
        begin, end = round(len(whole) * first), round(len(whole) * last)
        return whole[:begin] + bytes(end - begin) + whole[end:]

    return _changed(make, with_hole)


def flipped(make: Make, first: float, last: float, every: int) -> Make:
    """A file in which one bit in `every` bytes is wrong, between two shares of it."""

    def rotten(whole: bytes) -> bytes:
        rng = np.random.default_rng(0)
        content = np.frombuffer(whole, np.uint8).copy()
        begin, end = round(len(whole) * first), round(len(whole) * last)
        where = rng.integers(begin, end, (end - begin) // every)
        content[where] ^= np.left_shift(1, rng.integers(0, 8, len(where))).astype(np.uint8)
        return content.tobytes()

    return _changed(make, rotten)


def followed(make: Make, tail: bytes) -> Make:
    """A file with something behind its end."""
    return _changed(make, lambda whole: whole + tail)


def recoded(make: Make, codec: bytes, other: bytes) -> Make:
    """A file whose header names another codec where it named this one, the last time."""

    def renamed(whole: bytes) -> bytes:
        at = whole.rindex(codec)
        return whole[:at] + other + whole[at + len(codec) :]

    return _changed(make, renamed)


def turned(make: Make, matrix: tuple[int, int, int, int]) -> Make:
    """An MP4 whose first track is to be shown by the matrix a, b, c, d of QuickTime.

    x' = a x + c y and y' = b x + d y, y pointing down: 0, 1, -1, 0 is a quarter turn clockwise.
    """

    def with_matrix(whole: bytes) -> bytes:
        plain = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
        a, b, c, d = (number << 16 for number in matrix)
        at = whole.index(plain, whole.index(b"tkhd"))
        wanted = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
        return whole[:at] + wanted + whole[at + len(wanted) :]

    return _changed(make, with_matrix)


def joined(*makes: Make) -> Make:
    """Files put end to end, as `cat` does; only streams made for broadcast stand that."""

    def cat(path: Path) -> None:
        parts = []
        for make in makes:
            make(path)
            parts.append(path.read_bytes())
        path.write_bytes(b"".join(parts))

    return cat


def repacked(make: Make, shift: Callable[[str, float], float | None]) -> Make:
    """A file whose packets are kept and shown otherwise.

    Args:
        make: of the file.
        shift: of the kind of a packet (video, audio) and its time in seconds: the seconds by which
            it is shifted, or None to lose it.
    """

    def repack(path: Path) -> None:
        with _made(make, path) as source, av.open(str(path), "w", options=REPEATABLE) as target:
            for packet in _passed_on(target, [source]):
                by = shift(packet.stream.type, float(packet.pts * packet.time_base))
                if by is not None:
                    packet.pts += round(by / packet.time_base)
                    packet.dts += round(by / packet.time_base)
                    target.mux(packet)

    return repack


def repeated(make: Make, times: int, seconds: float) -> Make:
    """A film of `seconds` over and over, which costs no encoding."""

    def repeat(path: Path) -> None:
        with _made(make, path) as source, av.open(str(path), "w", options=REPEATABLE) as target:
            packets = list(_passed_on(target, [source]))
            for turn in range(times):
                for packet in packets:
                    again = av.Packet(bytes(packet))
                    by = round(turn * seconds / packet.time_base)
                    again.pts, again.dts = packet.pts + by, packet.dts + by
                    again.time_base, again.stream = packet.time_base, packet.stream
                    again.is_keyframe = packet.is_keyframe
                    target.mux(again)

    return repeat


def side_by_side(one: Make, other: Make) -> Make:
    """The streams of two files in one."""

    def put_together(path: Path) -> None:
        with (
            _made(one, path) as first,
            _made(other, path) as second,
            av.open(str(path), "w", options=REPEATABLE) as target,
        ):
            for packet in _passed_on(target, [first, second]):
                target.mux(packet)

    return put_together


@contextmanager
def _made(make: Make, beside: Path) -> Iterator[Any]:
    """A file that is made, opened and removed again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("made" + beside.suffix)
        make(path)
        with av.open(str(path)) as container:
            yield container


def _passed_on(target: Any, sources: Sequence[Any]) -> Iterator[Any]:
    """Packets of several files in the order of time, their streams those of the target."""
    streams = {
        id(source): [target.add_stream_from_template(stream) for stream in source.streams]
        for source in sources
    }
    target.start_encoding()
    packets = [
        (float(packet.dts * packet.time_base), number, source, packet)
        for source in sources
        for number, packet in enumerate(source.demux())
        if packet.size  # none: the end of a stream
    ]
    for _, _, source, packet in sorted(packets, key=lambda found: found[:2]):
        packet.stream = streams[id(source)][packet.stream.index]
        yield packet
