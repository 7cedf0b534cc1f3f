"""Any container to RGB frames at 25 fps and 16 kHz sound, and back to a file that plays anywhere.

Time zero is the first video frame; sound that begins later is preceded by silence and sound that
begins earlier is cut, so that frame k and samples [640 k, 640 (k + 1)) belong together.
"""

from pipeline.media.audio import Audio, fit_audio, read_audio
from pipeline.media.container import (
    FPS,
    SAMPLE_RATE,
    SAMPLES_PER_FRAME,
    VIDEO_SUFFIXES,
    MediaError,
    is_video,
)
from pipeline.media.encode import open_video, write_video
from pipeline.media.image import IMAGE_SUFFIXES, open_pictures, read_image, write_image
from pipeline.media.video import Frames, VideoInfo, probe, read_frames

__all__ = [
    "FPS",
    "IMAGE_SUFFIXES",
    "SAMPLES_PER_FRAME",
    "SAMPLE_RATE",
    "VIDEO_SUFFIXES",
    "Audio",
    "Frames",
    "MediaError",
    "VideoInfo",
    "fit_audio",
    "is_video",
    "open_pictures",
    "open_video",
    "probe",
    "read_audio",
    "read_frames",
    "read_image",
    "write_image",
    "write_video",
]
