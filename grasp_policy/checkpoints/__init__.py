"""The checkpoint that comes with WildGrasp; how it was trained stands in its model card and in docs/training.md."""

from pathlib import Path

SHIPPED = Path(__file__).parent / "first.safetensors"
