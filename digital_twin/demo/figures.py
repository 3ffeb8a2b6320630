"""Pictures of the demo's report, each as bytes of one image file."""

from __future__ import annotations

import io

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray

from wildgrasp.sessions.codecs import encode_color
from wildgrasp.sessions.events import GripperEvent, ServoSample

matplotlib.use("Agg")
from matplotlib import pyplot as plt

INK, ACCENT, GOOD, BAD, SOFT = "#1d2733", "#1769aa", "#2e7d32", "#c62828", "#8a97a6"
FONT = cv2.FONT_HERSHEY_SIMPLEX

plt.rcParams.update(
    {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": SOFT,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "figure.facecolor": "white",
    }
)


def figure_png(figure: plt.Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    return buffer.getvalue()


def labelled(image: NDArray[np.uint8], text: str, width: int = 320) -> NDArray[np.uint8]:
    """The image at a width, with a caption bar below."""
    height = round(image.shape[0] * width / image.shape[1])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    bar = np.full((24, width, 3), 255, np.uint8)
    cv2.putText(bar, text, (4, 16), FONT, 0.43, (29, 39, 51), 1, cv2.LINE_AA)
    return np.vstack([small, bar])


def strip(images: list[NDArray[np.uint8]], captions: list[str], width: int = 240) -> bytes:
    """A row of captioned pictures as JPEG. Images may differ in size; they are brought to one height."""
    ratio = min(image.shape[0] / image.shape[1] for image in images)
    cropped = [_crop(image, ratio) for image in images]
    gap = np.full((round(width * ratio) + 24, 6, 3), 255, np.uint8)
    parts: list[NDArray[np.uint8]] = []
    for image, caption in zip(cropped, captions, strict=True):
        tile = labelled(image, caption, width)
        parts += [tile, gap[: tile.shape[0]]]
    rows = min(part.shape[0] for part in parts)
    return encode_color(np.hstack([part[:rows] for part in parts[:-1]]), 88)


def _crop(image: NDArray[np.uint8], ratio: float) -> NDArray[np.uint8]:
    """The middle of the image, cut to height / width = ratio."""
    height = round(image.shape[1] * ratio)
    top = (image.shape[0] - height) // 2
    return np.ascontiguousarray(image[top : top + height])


def timeline(events: list[GripperEvent], servo: list[ServoSample], attempts: list[dict], t0_ns: int) -> bytes:
    """Button, servo opening and load over the recording, with what processing made of them."""
    figure, axis = plt.subplots(figsize=(10, 2.4))
    t = np.array([(s.t_ns - t0_ns) * 1e-9 for s in servo])
    axis.plot(t, [s.opening for s in servo], color=ACCENT, lw=1.6, label="finger opening (servo)")
    axis.plot(t, [abs(s.load) for s in servo], color=SOFT, lw=1.0, label="servo load")
    press_ns: int | None = None
    for event in events:
        if event.kind == "press":
            press_ns = event.t_ns
        elif event.kind == "release" and press_ns is not None:
            span = [(press_ns - t0_ns) * 1e-9, (event.t_ns - t0_ns) * 1e-9]
            axis.axvspan(*span, color=ACCENT, alpha=0.12, lw=0)
            press_ns = None
    for number, attempt in enumerate(attempts, 1):
        x = (attempt["t_press_ns"] - t0_ns) * 1e-9
        color = GOOD if attempt["outcome"] == "held" else BAD
        axis.text(x, 1.07, f"pick {number}: {attempt['outcome']}", color=color, fontsize=9, fontweight="bold")
    axis.set(xlabel="seconds", ylim=(-0.05, 1.2), yticks=[0, 0.5, 1])
    axis.legend(loc="lower left", bbox_to_anchor=(0.0, 1.02), frameon=False, ncols=2)
    return figure_png(figure)


def trajectories(
    estimate: NDArray, truth: NDArray | None, segments: list[tuple[int, int, str]], grasps: list[NDArray]
) -> bytes:
    """Fingertip paths in 3D: estimate [N, 4, 4], truth [N, 4, 4] aligned to it, named segments (start, stop, name)."""
    figure = plt.figure(figsize=(10, 4.6))
    for place, (elevation, azimuth, title) in enumerate([(22, -60, "from the side"), (88, -90, "from above")], 1):
        axis = figure.add_subplot(1, 2, place, projection="3d")
        if truth is not None:
            axis.plot(*truth[:, :3, 3].T, color="#222222", lw=3.2, alpha=0.18, label="truth (twin)")
        colors = plt.cm.tab10(np.arange(len(segments)))
        axis.plot(*estimate[:, :3, 3].T, color=SOFT, lw=0.7)
        for (start, stop, name), color in zip(segments, colors, strict=True):
            axis.plot(*estimate[start:stop, :3, 3].T, color=color, lw=1.8, label=name)
        for T in grasps:
            for axis_index, color in enumerate(("#c62828", "#2e7d32", "#1565c0")):
                ends = np.stack([T[:3, 3], T[:3, 3] + 0.04 * T[:3, axis_index]])
                axis.plot(*ends.T, color=color, lw=2)
        axis.view_init(elevation, azimuth)
        axis.set_title(title, fontsize=9)
        axis.set_aspect("equal")
        axis.tick_params(labelsize=6)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    return figure_png(figure)


def action_views(
    colors: NDArray[np.uint8], valid: NDArray[np.bool_], values: NDArray[np.float32], chosen: int
) -> bytes:
    """The 35 candidate views [35, H, W, 3] as 5 rows (translations) × 7 columns (rotations), framed by value, JPEG."""
    translations = ("+x", "-x", "+y", "-y", "+z")
    rotations = ("no turn", "+rx", "-rx", "+ry", "-ry", "+rz", "-rz")
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    rows = []
    for row in range(5):
        tiles = []
        for column in range(7):
            index = 7 * row + column
            tile = np.where(valid[index][..., None], colors[index], 235).astype(np.uint8)
            tile = cv2.resize(tile, (160, 90), interpolation=cv2.INTER_NEAREST)
            name = f"{translations[row]} {rotations[column]}"
            tiles.append(_framed(tile, float(values[index]), low, high, index == chosen, name))
        rows.append(np.hstack(tiles))
    return encode_color(np.vstack(rows), 90)


def _framed(tile: NDArray[np.uint8], value: float, low: float, high: float, best: bool, name: str) -> NDArray[np.uint8]:
    allowed = np.isfinite(value)
    share = (value - low) / max(high - low, 1e-9) if allowed else 0.0
    heat = (
        (np.array(plt.cm.viridis(share)[:3]) * 255).astype(np.uint8) if allowed else np.array([225, 225, 225], np.uint8)
    )
    if best:
        heat = np.array([230, 30, 30], np.uint8)
    border = 5
    framed = np.empty((tile.shape[0] + 2 * border + 20, tile.shape[1] + 2 * border, 3), np.uint8)
    framed[:] = 255
    framed[: tile.shape[0] + 2 * border] = heat
    framed[border : border + tile.shape[0], border : border + tile.shape[1]] = tile
    text = f"{name}  {value:.2f}" if allowed else f"{name}  refused"
    ink = (200, 0, 0) if best else (29, 39, 51)
    cv2.putText(framed, text, (6, framed.shape[0] - 6), FONT, 0.4, ink, 1, cv2.LINE_AA)
    return framed
