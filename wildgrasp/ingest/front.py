"""The server's door to the network: TLS in front of the object store, which itself never leaves this computer.

SeaweedFS opens an unauthenticated control port wherever it offers S3, so it is not let onto a network. This forwards
bytes from TLS connections to it and looks at none.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from pathlib import Path

from wildgrasp.ingest.access import IngestError

BLOCK = 64 * 1024
MAX_CONNECTIONS = 200
HANDSHAKE_S = 20.0
IDLE_S = 300.0


class TlsFront:
    """Listens on ``host:port`` with a certificate, forwards to ``127.0.0.1:behind``; runs in a thread of its own."""

    def __init__(self, host: str, port: int, certificate: Path, key: Path, behind: int) -> None:
        """Raises IngestError where the certificate cannot be used or the address is taken."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise IngestError(f"The certificate {certificate} or its key {key} cannot be used ({error}).") from None
        self._behind = behind
        self._open = 0
        self._loop = asyncio.new_event_loop()
        listen = asyncio.start_server(self._serve, host, port, ssl=context, ssl_handshake_timeout=HANDSHAKE_S)
        try:
            self._server = self._loop.run_until_complete(listen)
        except OSError as error:
            self._loop.close()
            raise IngestError(f"{host}:{port} cannot be listened on ({error.strerror}). Choose another port.") from None
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="tls-front", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= MAX_CONNECTIONS:
            writer.close()
            return
        self._open += 1
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._behind)
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        except (OSError, TimeoutError):
            pass  # either side is gone; the other is closed below
        finally:
            self._open -= 1
            writer.close()
            with contextlib.suppress(UnboundLocalError):
                inner_writer.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Until the source ends; then the sink is closed, so that the other direction ends too."""
    try:
        while data := await asyncio.wait_for(source.read(BLOCK), IDLE_S):
            sink.write(data)
            await sink.drain()
    finally:
        sink.close()
