"""A stand-in for another system: research code as it comes, run by the tests from a clone.

It reads a list of its own, wants a folder temp/, writes into results/, draws at 50 fps a panel of
the portrait and what it generated, begins two frames late, and crops what it is given.
Its mouth is a bar at the bottom whose brightness is the loudness of the speech.
"""

import sys
import time
import wave
from pathlib import Path

import cv2
import numpy as np
from helper.gain import GAIN  # a package of the clone's

from pipeline.media import write_video

folder, job = Path.cwd(), sys.argv[1]
face_path, sound_path, pose_folder, seed = Path("list.txt").read_text().split()
print("loading", job)
if job == "hang":
    time.sleep(600)
if Path("breaks_at").exists() and Path("breaks_at").read_text() == seed:
    sys.exit("CUDA error: out of memory")
if job == "fail" or Path(face_path).stat().st_size == 0:
    sys.exit("RuntimeError: no face detected")
Path("temp/scratch.bin").write_bytes(b"x")
Path("settings.ini").write_text("changed by the system")
with wave.open(sound_path) as sound:
    assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16000, 1, 2)
    samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)
face = cv2.cvtColor(cv2.imread(face_path), cv2.COLOR_BGR2RGB)
assert face.shape == (160, 160, 3)
cropped = cv2.resize(face[20:140, 20:140], (160, 160))  # it sees the middle alone
poses = len(list(Path(pose_folder).glob("*.jpg")))
frames = []
for k in range(2, len(samples) // 640):
    loud = np.sqrt(np.mean(samples[k * 640 : (k + 1) * 640] ** 2))
    drawn = cropped.copy()
    drawn[140:] = np.uint8(min(255, GAIN * loud))
    frames += [np.concatenate([face, drawn], axis=1)] * 2
write_video(folder / "results" / f"id_{poses}" / "out.mp4", frames, fps=50)
