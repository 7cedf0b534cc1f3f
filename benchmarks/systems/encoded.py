"""The row `GT, encoded`: real clips written as generated ones are, and read again.

Its numbers are the floor of the file format, mostly of its halved chroma: a system whose pictures
are perfect scores as much.
"""

from pathlib import Path

from benchmarks.clips.pairs import chosen_split, real_clips
from benchmarks.systems.protocol import claim, write_clip
from pipeline.errors import UserError
from pipeline.progress import progress


def encode_clips(real: Path, out: Path, split: str | None, max_frames: int) -> dict[str, str]:
    """Writes the real clips as MP4, as `dh-bench generate` does.

    `split`: of a data set; None takes test if there is one, else all. Returns the reason why a clip
    has no video, by clip id.
    """
    split = chosen_split(real, split)
    count = sum(1 for _ in real_clips(real, split))
    claim(out, {"encoded": True, "split": split, "max_frames": max_frames})
    failed = {}
    with progress("clips encoded", count) as step:
        for clip in real_clips(real, split):
            try:
                video = clip.open(max_frames)
                tags = {"comment": "A real clip, encoded again by dh-bench."}
                write_clip(out / f"{clip.clip_id}.mp4", video.frames, video.samples, tags)
            except (UserError, ValueError, OSError) as error:
                failed[clip.clip_id] = str(error)
            step()
    return failed
