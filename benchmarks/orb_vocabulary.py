"""A vocabulary for ORB-SLAM3, made from recorded sessions: the original one is a download of its own.

    python -m benchmarks.orb_vocabulary build/benchmark_takes/take_0031_* --out vocabulary.txt

A tree of binary words in DBoW2's text format (Gálvez-López and Tardós 2012): descriptors are clustered by Hamming
distance, each cluster by its bitwise majority, and words that every picture shows weigh little. It is far smaller than
the original, which was made from many more pictures: ORB-SLAM3 uses it to match keyframes and to close loops.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray
from rich.progress import track

from wildgrasp.sessions.session import Session

Bits = NDArray[np.float32]  # [N, 256], −1 or 1: the Hamming distance is (256 − a·b) / 2

BRANCHES, LEVELS = 10, 4
ROUNDS = 5


def main(sessions: tyro.conf.Positional[tuple[Path, ...]], out: Path, every: int = 10) -> None:
    """Write a vocabulary.

    Args:
        sessions: Whose pictures it is made from.
        out: The file.
        every: One picture in so many.
    """
    orb = cv2.ORB_create(1000)
    found = []
    for path in track(sessions, "Finding features"):
        with Session(path) as session:
            for frame in range(0, len(session), every):
                gray = cv2.cvtColor(session.frame(frame).color, cv2.COLOR_RGB2GRAY)
                descriptors = orb.detectAndCompute(gray, None)[1]
                if descriptors is not None:
                    found.append(descriptors)
    pictures = np.repeat(np.arange(len(found)), [len(d) for d in found])
    bits = np.unpackbits(np.concatenate(found), axis=1).astype(np.float32) * 2 - 1
    lines: list[str] = []
    _grow(bits, pictures, 0, 1, len(found), np.random.default_rng(0), lines)
    out.write_text("\n".join([f"{BRANCHES} {LEVELS} 0 0", *lines]) + "\n")  # 0 0: L1 norm, TF-IDF


def _grow(bits: Bits, pictures: NDArray, parent: int, level: int, count: int, rng, lines: list[str]) -> None:
    """Append a node's children and theirs; a node's number is that of its line."""
    nearest, centres = _cluster(bits, rng)
    for n, centre in enumerate(centres):
        own = nearest == n
        leaf = level == LEVELS or own.sum() <= BRANCHES
        weight = np.log(count / max(len(np.unique(pictures[own])), 1)) if leaf else 0.0
        numbers = " ".join(map(str, np.packbits(centre > 0)))
        lines.append(f"{parent} {int(leaf)} {numbers} {weight:.6g}")
        if not leaf:
            _grow(bits[own], pictures[own], len(lines), level + 1, count, rng, lines)


def _cluster(bits: Bits, rng: np.random.Generator) -> tuple[NDArray[np.int64], Bits]:
    """k-majority (Grana et al. 2013): the nearest centre [N], and the centres [≤ BRANCHES, 256]."""
    centres = np.unique(bits[rng.choice(len(bits), min(BRANCHES, len(bits)), replace=False)], axis=0)
    for _ in range(ROUNDS):
        nearest = np.argmax(bits @ centres.T, axis=1)
        kept = [n for n in range(len(centres)) if np.any(nearest == n)]
        centres = np.array([np.where(bits[nearest == n].sum(axis=0) >= 0, 1, -1) for n in kept], np.float32)
    return np.argmax(bits @ centres.T, axis=1), centres


if __name__ == "__main__":
    tyro.cli(main)
