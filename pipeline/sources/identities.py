"""Identities of clips whose speakers are not named: clips grouped by the face seen in them.

The face of a clip is the mean of dlib's embeddings over a few of its frames. Two clips closer than
`SAME` show one person, and so do two that a chain of such clips joins. On 108 clips of 61 people
every threshold from 0.40 to 0.46 finds the 61 people without a mistake
(`benchmarks/studies/faces.py identities`). A wrong join costs little, two people who share a split;
a missed one puts a person into two splits.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.errors import UserError
from pipeline.faces.networks.embedding import WEIGHTS, FaceEmbedder
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import FPS, read_frames
from pipeline.parallel.tasks import in_order, run_on_ray
from pipeline.sources.manifest import ManifestRow
from pipeline.storage import local_copy
from pipeline.weights import locate

SAME = 0.45  # distance of two embeddings up to which they are one person's
_FACES = 4  # faces of a clip that make its mean
_LOOKS = 12  # frames that are looked at for them
_EVERY = 1.0  # seconds between two of these
_AT_ONCE = 1 << 26  # distances that lie in memory


def clip_embedder(
    weights_dir: Path | None = None,
) -> Callable[[ManifestRow], NDArray[np.float64] | None]:
    """A function from a clip to its face: (128,), or None where none is found or none decodes."""
    embedder = FaceEmbedder(locate(WEIGHTS, weights_dir))
    tracker = MediaPipeTracker(locate("face_landmarker.task", weights_dir))

    def embed(row: ManifestRow) -> NDArray[np.float64] | None:
        found = []
        try:
            with local_copy(row.path) as path:
                frames = read_frames(path, start=row.start, end=row.end)
                step = round(_EVERY * FPS)
                for frame in itertools.islice(frames, 0, _LOOKS * step, step):
                    track = tracker.track([frame])
                    if track.found[0]:
                        found.append(embedder(frame, track.points[0]))
                    if len(found) == _FACES:
                        break
        except (UserError, OSError):
            return None  # dh-prep run reports what is wrong with it
        return np.mean(found, axis=0) if found else None

    return embed


def faces_of_clips(
    rows: Sequence[ManifestRow], *, workers: int | None = None, weights_dir: Path | None = None
) -> Iterator[NDArray[np.float64] | None]:
    """The face of each clip, in order, as `clip_embedder` finds it; `workers` 0 is without Ray."""
    embed = clip_embedder(weights_dir)  # a missing network is reported before processes start
    if workers == 0:
        yield from map(embed, rows)
        return
    folder = weights_dir.absolute() if weights_dir else None
    yield from in_order(run_on_ray(embed_worker, (folder,), rows, workers=workers))


def embed_worker(
    weights_dir: Path | None, _threads: int
) -> Callable[[ManifestRow], list[NDArray[np.float64] | None]]:
    """What a Ray process embeds clips with, see `clip_embedder`."""
    embed = clip_embedder(weights_dir)
    return lambda row: [embed(row)]


def group(faces: NDArray[np.float64], same: float = SAME) -> NDArray[np.intp]:
    """The group of each of (N, D) faces, counted from 0 in order of appearance: (N,).

    Faces that are closer than `same`, or joined by a chain of such faces, are one group.
    """
    labels = np.arange(len(faces))
    lengths = np.square(faces).sum(1)
    count = max(1, _AT_ONCE // max(1, len(faces)))
    for start in range(0, len(faces), count):
        part = slice(start, start + count)
        squares = lengths[part, None] + lengths[start:] - 2 * faces[part] @ faces[start:].T
        near, other = np.nonzero(squares < same**2)
        # Few pairs of groups stand for many pairs of clips.
        pairs = np.unique(np.stack([labels[part][near], labels[start:][other]]), axis=1)
        joined = coo_array((np.ones(pairs.shape[1]), tuple(pairs)), shape=(len(faces),) * 2)
        labels = connected_components(joined, directed=False)[1][labels]
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def name_by_face(
    rows: Sequence[ManifestRow], faces: Sequence[NDArray[np.float64] | None], same: float = SAME
) -> list[ManifestRow]:
    """The rows with speakers by face, named `face-` and the first clip that shows it.

    The speaker stays unknown where no face was found.
    """
    seen = [k for k, face in enumerate(faces) if face is not None]
    if not seen:
        raise UserError(f"no face found in any of {len(rows)} clips")
    labels = group(np.stack([face for face in faces if face is not None]), same).tolist()
    first = {label: rows[k].clip_id for k, label in reversed(list(zip(seen, labels, strict=True)))}
    names = {k: f"face-{first[label]}" for k, label in zip(seen, labels, strict=True)}
    return [replace(row, speaker=names.get(k, "")) for k, row in enumerate(rows)]
