"""Frames of two fields, filmed one after the other, made into whole frames (FFmpeg's bwdif)."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import av.error
from av.filter import Graph


def deinterlace(frames: Iterator[tuple[float, Any]], stream: Any) -> Iterator[tuple[float, Any]]:
    """Deinterlaces (seconds, frame) pairs where they are flagged as interlaced."""
    graph: Graph | None = None
    size: tuple[int, int, str] | None = None
    waiting: deque[float] = deque()  # times of frames in the filter, which looks one ahead
    for time, frame in frames:
        changed = (frame.width, frame.height, frame.format.name) != size
        if graph is not None and changed:
            yield from _pulled(graph, waiting, flush=True)
            graph = None
        if graph is None:
            if not frame.interlaced_frame:
                yield time, frame
                continue
            size = frame.width, frame.height, frame.format.name
            graph = Graph()
            graph.threads = 1
            source = graph.add_buffer(
                width=size[0], height=size[1], format=frame.format, time_base=stream.time_base
            )
            bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
            graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
        waiting.append(time)
        graph.push(frame)
        yield from _pulled(graph, waiting)
    if graph is not None:
        yield from _pulled(graph, waiting, flush=True)


def _pulled(
    graph: Graph, waiting: deque[float], *, flush: bool = False
) -> Iterator[tuple[float, Any]]:
    """The frames that the filter has finished."""
    if flush:
        graph.push(None)
    while waiting:
        try:
            frame = graph.vpull()
        except (BlockingIOError, av.error.EOFError):
            return
        yield waiting.popleft(), frame
