"""What the page accepts: size of an upload, length of a recording and of the queue."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PageLimits:
    """Limits of the page.

    Attributes:
        upload: bytes of one file.
        seconds: of a recording, and of live video until others have their turn.
        waiting: videos that may wait while another is made.
        kept: uploads and finished videos that stay on disk; the oldest are deleted first.
    """

    upload: int = 50 << 20
    seconds: int = 120
    waiting: int = 8
    kept: int = 64
