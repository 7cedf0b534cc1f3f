"""Standard words for what was done to a file to make it usable, as rows and samples record them."""

from typing import Literal

Note = Literal[
    "tone-mapped",  # HLG or PQ picture converted to BT.709
    "gamut-converted",  # colours of BT.2020 or P3 converted to BT.709
    "deinterlaced",  # fields of interlaced frames made into whole frames
    "video-track-chosen",  # one of several video tracks
    "audio-track-chosen",  # one of several sound tracks
    "loudest-channel",  # channels that cancel each other: the loudest one in place of their mix
    "surround-mixed",  # more than two channels mixed with the centre at its level
    "profile-converted",  # a picture's own colour profile converted to sRGB
    "turned",  # a picture that lies on its side or upside down: crops turned upright
    "speaker-chosen",  # several faces: the one whose lips move with the sound
    "speaker-unclear",  # several faces, none of which surely speaks: the largest
]
