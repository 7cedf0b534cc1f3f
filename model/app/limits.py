"""What the page accepts: size of an upload, length of a recording and of the queue."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PageLimits:
    """Limits of the page."""

    upload: int = 50 << 20  # bytes of one file
    seconds: int = 120  # of a recording, and of live video until others have their turn
    waiting: int = 8  # videos that may wait while another is made
    kept: int = 64  # uploads and finished videos that stay on disk; the oldest are deleted first
