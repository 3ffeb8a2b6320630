"""A checkpoint in words: what it is, where it comes from, and what runs it on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grasp_policy.baselines.weights import KIND as BASELINE
from grasp_policy.checkpoint import FORMAT, Checkpoint, load_checkpoint
from grasp_policy.features import FEATURE_VERSION
from grasp_policy.inference.runtimes import choose, obstacles
from grasp_policy.tensorfile import load_tensors

_LONGEST_LIST = 4


def read_card(path: Path) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """A file's card, and all of it in words: a policy's checkpoint, or weights of a learned baseline that we trained.

    Raises CheckpointError.
    """
    tensors, header = load_tensors(path)
    if header.get("kind") == BASELINE and isinstance(header.get("card"), dict):
        card = header["card"]
        parameters = ("weights", f"of a baseline, {sum(w.numel() for w in tensors.values())} parameters")
        return card, [parameters, *((name, _text(value)) for name, value in _flat(card))]
    checkpoint = load_checkpoint(path)
    return checkpoint.card, card_rows(checkpoint)


def card_rows(checkpoint: Checkpoint) -> list[tuple[str, str]]:
    """(what, how) in the order in which one asks: the network, its version, then its card, nested names with dots."""
    network = checkpoint.network
    width = f", {network.channels} channels" if network.preset == "compact" else ""
    window = network.window
    reading = f"rows {window.top}–{window.bottom - 1}, columns {window.left}–{window.right - 1} of a view"
    rows = [
        ("network", f"{network.preset}{width}, {sum(w.numel() for w in checkpoint.build().parameters())} parameters"),
        ("value read from", reading if network.reading == "window" else "the largest cell of the map"),
        ("action preset", checkpoint.actions),
        ("version", f"format {FORMAT}, features {FEATURE_VERSION}"),
    ]
    return rows + [(name, _text(value)) for name, value in _flat(checkpoint.card)]


def runtime_rows() -> list[tuple[str, str]]:
    """(runtime, whether it works on this machine and which one is taken)."""
    taken = choose()
    return [
        (name, "works" + (", taken when nothing else is asked for" if name == taken else "") if no is None else no)
        for name, no in obstacles().items()
    ]


def _flat(card: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in card.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list) and len(value) > _LONGEST_LIST:
        return f"{len(value)}: {', '.join(map(_text, value[:_LONGEST_LIST]))}, …"
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)
