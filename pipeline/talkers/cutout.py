"""The photographed head in a canvas, cut from its background, with soft masks of head and hair.

The photograph is scikit-image's `astronaut` (NASA, public domain).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.geometry import transform
from pipeline.faces.networks.face_mesh import Box, FaceMesh, box_of_mesh

EYES_AT = 0.44  # height of the eyes in the canvas, as a share of its side
EYE_SPAN = 0.227  # distance of the outer eye corners, as a share of the canvas' side
RIGHT_EYE, LEFT_EYE, CHIN = 33, 263, 152  # points of the 478-point mesh

# The hair's outline in the photograph, clockwise from the right ear (the viewer's left).
_HAIR = [
    (171, 118), (160, 106), (153.6, 86), (154, 66), (168, 48), (192, 32), (210, 21), (232, 16),
    (258, 21), (278, 33), (292, 50), (300, 70), (301.6, 86), (298, 104), (290, 118), (277, 128),
    (268, 120), (266, 88), (242, 88), (216, 80), (186, 74), (182, 92), (178, 118),
]  # fmt: skip
# The edge of the suit's collar in the photograph, and the neck above it.
_COLLAR = [(186, 178), (196, 183), (210, 186.5), (230, 189.5), (242, 188.5), (251.5, 184.5)]
_NECK = [(258, 156), (184, 148), *_COLLAR]
_OVAL = (
    "10 338 297 332 284 251 389 356 454 323 361 288 397 365 379 378 400 377 152 148 176 149 150 "
    "136 172 58 132 93 234 127 162 21 54 103 67 109"
)


def point_ids(text: str) -> list[int]:
    """Indexes of mesh points from a list in words."""
    return [int(word) for word in text.split()]


def contours(text: str) -> list[list[int]]:
    """Several lists of mesh points, with / between."""
    return [point_ids(part) for part in text.split("/")]


# The upper and the lower lid of each eye, and the lips' outer and inner contours above and below:
# from the viewer's left to right, so that point i is above point i.
LIDS = [
    contours("33 246 161 160 159 158 157 173 133 / 33 7 163 144 145 153 154 155 133"),
    contours("362 398 384 385 386 387 388 466 263 / 362 382 381 380 374 373 390 249 263"),
]
OUTER_LIPS = contours(
    "61 185 40 39 37 0 267 269 270 409 291 / 61 146 91 181 84 17 314 405 321 375 291"
)
INNER_LIPS = contours(
    "78 191 80 81 82 13 312 311 310 415 308 / 78 95 88 178 87 14 317 402 318 324 308"
)


def closed(upper: list[int], lower: list[int]) -> list[int]:
    """Two contours with common ends as one outline."""
    return [*upper, *lower[-2:0:-1]]


def soft_mask(outline: NDArray[np.floating], size: int, blur: float) -> NDArray[np.float32]:
    """(size, size) mask in 0..1 of the inside of an outline, its edge blurred."""
    mask = np.zeros((size, size), np.uint8)
    fill(mask, outline, 255)
    return cv2.GaussianBlur(mask, (0, 0), blur).astype(np.float32) / 255


def eye_span(mesh: NDArray[np.floating]) -> float:
    """Distance of the outer eye corners."""
    return float(np.linalg.norm(mesh[LEFT_EYE] - mesh[RIGHT_EYE]))


@dataclass(frozen=True)
class CutOut:
    """The photograph's head in the canvas, with soft masks in 0..1 (all (C, C) float32)."""

    image: NDArray[np.float32]
    mesh: NDArray[np.float32]
    head: NDArray[np.float32]
    hair: NDArray[np.float32]


def cut_out(net: FaceMesh, canvas: int, *, mirrored: bool) -> CutOut:
    """The head of the photograph in a canvas of `canvas` x `canvas` pixels."""
    from skimage.data import astronaut

    photograph = astronaut()
    # Where the face is in the photograph; from it, the map to the canvas.
    mesh, _ = net(photograph, Box(226.0, 122.0, 165.0, 0.05))
    mesh, _ = net(photograph, box_of_mesh(mesh))
    scale = canvas * EYE_SPAN / eye_span(mesh)
    middle = (mesh[LEFT_EYE] + mesh[RIGHT_EYE]) / 2
    shift = np.array([canvas / 2, canvas * EYES_AT]) - scale * middle
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    if mirrored:
        matrix[0] = [-scale, 0, canvas - 1 - shift[0]]
    image = cv2.warpAffine(
        photograph, matrix, (canvas, canvas), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    # The mesh once more, in the pixels of the canvas.
    side = 165.0 * scale
    centre = transform(np.array([226.0, 122.0]), matrix)
    mesh, _ = net(image, Box(float(centre[0]), float(centre[1]), side, -0.05 if mirrored else 0.05))
    mesh, _ = net(image, box_of_mesh(mesh))
    head, hair = _masks(image, mesh, matrix)
    return CutOut(_without_fringe(image, head), mesh, head, hair)


def _masks(
    image: NDArray[np.uint8], mesh: NDArray[np.float32], matrix: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Soft masks of the head with its neck, and of the hair, by GrabCut from drawn outlines."""
    # The head, cut out of the background.
    hair = transform(np.array(_HAIR), matrix)
    oval = mesh[point_ids(_OVAL)]
    marks = np.full(image.shape[:2], cv2.GC_BGD, np.uint8)
    fill(marks, _grown(hair, 1.12), cv2.GC_PR_BGD)
    fill(marks, _grown(oval, 1.12), cv2.GC_PR_BGD)
    marks[int(mesh[point_ids("132 361"), 1].max()) :] = cv2.GC_BGD
    fill(marks, _grown(hair, 1.06), cv2.GC_PR_FGD)
    fill(marks, _grown(hair, 0.88), cv2.GC_FGD)
    fill(marks, oval, cv2.GC_FGD)
    fill(marks, transform(np.array(_NECK), matrix), cv2.GC_FGD)
    head = _grab_cut(image, marks)
    # The hair, cut out of the head.
    marks = np.where(head, cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
    fill(marks, _grown(hair, 0.97), cv2.GC_PR_FGD)
    marks[head == 0] = cv2.GC_BGD
    fill(marks, _grown(oval, 0.8), cv2.GC_BGD)
    marks[mesh[RIGHT_EYE, 1].astype(int) + round(0.75 * image.shape[0] * EYE_SPAN) :] = cv2.GC_BGD
    crown = int(mesh[10, 1] - 0.1 * image.shape[0] * EYE_SPAN)
    marks[:crown][head[:crown] > 0] = cv2.GC_FGD
    # The head fades out just above the collar, so that the neck carries on into painted skin.
    size, collar = image.shape[0], transform(np.array(_COLLAR), matrix)
    collar = collar[collar[:, 0].argsort()]
    height = np.interp(np.arange(size), collar[:, 0], collar[:, 1]) - np.arange(size)[:, None]
    above = np.clip(height / (size / 50) - 0.25, 0, 1).astype(np.float32)
    return _softened(head) * above, _softened(_grab_cut(image, marks))


def _grown(outline: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """An outline scaled about its middle."""
    centre = outline.mean(0)
    return (outline - centre) * factor + centre


def fill(mask: NDArray[np.uint8], outline: NDArray[np.floating], value: int) -> None:
    """Sets the inside of an outline, in place."""
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], value)


def _grab_cut(image: NDArray[np.uint8], marks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Foreground as 0 and 1; the seed makes OpenCV's k-means the same on every run."""
    cv2.setRNGSeed(1)
    cv2.grabCut(image, marks, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    return (marks & 1).astype(np.uint8)


def _softened(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A hard mask with an edge about three pixels wide in a canvas of 400."""
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), mask.shape[0] / 300)


def _without_fringe(image: NDArray[np.uint8], mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours of the inside carried outwards over the mask's edge, where background shines in."""
    unit = image.shape[0] / 400
    edge = 2 * round(2 * unit) + 1
    inside = (cv2.erode(mask, np.ones((edge, edge), np.uint8)) > 0.95).astype(np.float32)
    colours = image.astype(np.float32)
    near, far = (_spread(colours, inside, sigma * unit) for sigma in (3.0, 15.0))
    reached = cv2.GaussianBlur(inside, (0, 0), 3.0 * unit)[..., None] > 1e-3
    keep = np.clip(2 * cv2.GaussianBlur(inside, (0, 0), 1.2 * unit) - 1, 0, 1)[..., None]
    return (colours * keep + np.where(reached, near, far) * (1 - keep)).astype(np.float32)


def _spread(
    colours: NDArray[np.float32], inside: NDArray[np.float32], sigma: float
) -> NDArray[np.float32]:
    """Blurred colours of the inside, without those outside."""
    weight = cv2.GaussianBlur(inside, (0, 0), sigma)[..., None]
    blurred = cv2.GaussianBlur(colours * inside[..., None], (0, 0), sigma)
    return blurred / (weight + 1e-6)
