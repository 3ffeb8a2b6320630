"""The bytes of a part on their way: paced, counted, and stoppable in the middle."""

from __future__ import annotations

import io
from collections.abc import Callable

BLOCK = 16 * 1024


class PartBody(io.BytesIO):
    """What the HTTP client reads from.

    It reads everything once for the signature where the endpoint is not encrypted, and once to send it; only from
    :meth:`sending` on is it paced and counted. What ``on_bytes`` raises ends the request; the HTTP client would dress
    it up as a network's error, so it is kept in ``failure``.
    """

    def __init__(self, data: bytes, on_bytes: Callable[[int], None]) -> None:
        super().__init__(data)
        self._on_bytes = on_bytes
        self._sending = False
        self.failure: Exception | None = None

    def sending(self) -> None:
        self._sending = True

    def read(self, size: int | None = -1) -> bytes:
        if not self._sending:
            return super().read(size)
        data = super().read(BLOCK if size is None or size < 0 else min(size, BLOCK))
        if data:
            try:
                self._on_bytes(len(data))
            except Exception as error:
                self.failure = error
                raise
        return data
