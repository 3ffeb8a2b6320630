"""Pages that are one file."""

from __future__ import annotations

import base64


def data_uri(picture: bytes) -> str:
    """A PNG or JPEG file as a data URI, so that a page holds its pictures."""
    kind = "png" if picture[:4] == b"\x89PNG" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
