"""Closed meshes of triangles with as many vertices as one wants."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_POLES = 2


def sphere(count: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the unit sphere as rings of vertices between two poles.

    Parameters
    ----------
    count : int
        Number of vertices; without the poles, it must be a product of two numbers from 3.

    Returns
    -------
    vertices : array, shape (count, 3)
    faces : array, shape (2 * count - 4, 3)
        Counted from 0; seen from outside, the vertices of a face run anticlockwise.

    Examples
    --------
    >>> vertices, faces = sphere(162)
    >>> vertices.shape, faces.shape
    ((162, 3), (320, 3))
    """
    rings, around = _shape(count - _POLES)
    height = np.pi * np.arange(1, rings + 1) / (rings + 1)
    angle = 2 * np.pi * np.arange(around) / around
    ring = [np.cos(angle), np.sin(angle)]
    body = np.stack([np.outer(np.sin(height), part) for part in ring] + [np.outer(np.cos(height), np.ones(around))], -1)
    vertices = np.concatenate([body.reshape(-1, 3), [[0, 0, 1], [0, 0, -1]]])
    return vertices, np.array(_faces(rings, around), np.int32)


def _shape(count: int) -> tuple[int, int]:
    """Return the most equal factors of a number, the smaller first."""
    rings = next(number for number in range(int(count**0.5), 0, -1) if count % number == 0)
    return rings, count // rings


def _faces(rings: int, around: int) -> list[tuple[int, int, int]]:
    top, bottom = rings * around, rings * around + 1
    faces = []
    for one in range(around):
        other = (one + 1) % around
        faces.append((top, one, other))
        faces.append((bottom, (rings - 1) * around + other, (rings - 1) * around + one))
        for ring in range(rings - 1):
            above, below = ring * around, (ring + 1) * around
            faces.append((above + one, below + one, above + other))
            faces.append((above + other, below + one, below + other))
    return faces


def areas(vertices: NDArray[Any], faces: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the area of each vertex: a third of its faces."""
    one, two, three = (vertices[faces[:, corner]] for corner in range(3))
    area = np.linalg.norm(np.cross(two - one, three - one), axis=1) / 2
    return np.asarray(np.bincount(faces.ravel(), np.repeat(area / 3, 3), len(vertices)), np.float64)
