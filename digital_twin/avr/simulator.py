"""libboard.so (shim.c over simavr) for Python."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from wildgrasp.errors import UserError

LIBRARY = Path(__file__).parent / "build" / "libboard.so"
CLOCK_HZ = 16_000_000
UART, PIN = 1, 2
EEPROM_BYTES = 4096
VECTORS = 57
QUEUE = 1 << 14
_OUTPUT = struct.Struct("QIIII")


class BoardNotBuiltError(UserError):
    """The firmware or the simulator's library has not been built."""


# Something the chip did: cycle, kind (UART: a byte; PIN: a level), port, value, cycles that the byte takes on the wire.
Output = tuple[int, int, int, int, int]


@cache
def _library() -> ctypes.CDLL:
    if not LIBRARY.is_file():
        raise BoardNotBuiltError(
            "The simulated board is not built. Nothing was started: run `make firmware` and try again."
        )
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError as error:
        raise BoardNotBuiltError(
            f"The simulated board cannot be loaded ({error}). Run `make firmware` again on this computer."
        ) from error
    pointer, u32, u64, integer = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int
    signatures = {
        "board_new": (pointer, [ctypes.c_char_p, u32]),
        "board_free": (None, [pointer]),
        "board_watch_pin": (None, [pointer, ctypes.c_char, integer]),
        "board_put": (integer, [pointer, u64, u32, u32, u32]),
        "board_drop_input": (None, [pointer, u32]),
        "board_put_bytes": (integer, [pointer, u32, ctypes.POINTER(u64), ctypes.c_char_p, u32]),
        "board_run": (u64, [pointer, u64, u32, u32]),
        "board_take_outputs": (u32, [pointer]),
        "board_outputs": (pointer, [pointer]),
        "board_cycle": (u64, [pointer]),
        "board_overruns": (u32, [pointer]),
        "board_cycles_per_byte": (u32, [pointer, integer]),
        "board_reset": (None, [pointer, integer]),
        "board_find": (integer, [pointer, ctypes.c_char_p]),
        "board_run_to_main": (None, [pointer]),
        "board_write_ram": (None, [pointer, u32, ctypes.c_char_p, u32]),
        "board_stack": (u32, [pointer]),
        "board_isr_longest": (u32, [pointer, u32]),
        "board_hang": (None, [pointer]),
        "board_read_eeprom": (integer, [pointer, ctypes.c_char_p, u32]),
        "board_write_eeprom": (integer, [pointer, ctypes.c_char_p, u32]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _full() -> OverflowError:
    return OverflowError("more than 16 000 inputs wait for the simulated board")


def pin(port: str, bit: int) -> int:
    """A pin's number in inputs and outputs."""
    return ord(port) << 8 | bit


class Simulator:
    """An ATmega2560 at 16 MHz running a firmware. Time is its cycle count; runs are reproducible to the bit."""

    def __init__(self, elf: Path) -> None:
        self._library = _library()
        if not elf.is_file():
            raise BoardNotBuiltError(f"There is no firmware at {elf}. Run `make firmware` and try again.")
        self._board = self._library.board_new(str(elf).encode(), CLOCK_HZ)
        if not self._board:
            raise BoardNotBuiltError(
                f"{elf} is not a firmware for the Arduino Mega. Run `make firmware` and try again."
            )
        outputs = self._library.board_outputs(self._board)
        self._outputs = memoryview((ctypes.c_char * (QUEUE * _OUTPUT.size)).from_address(outputs))

    @property
    def cycle(self) -> int:
        return self._library.board_cycle(self._board)

    @property
    def overruns(self) -> int:
        """Received bytes for which the real chip would have had no room."""
        return self._library.board_overruns(self._board)

    def cycles_per_byte(self, uart: int) -> int:
        return self._library.board_cycles_per_byte(self._board, uart)

    def watch_pin(self, port: str, bit: int) -> None:
        self._library.board_watch_pin(self._board, port.encode(), bit)

    def put(self, cycle: int, kind: int, port: int, value: int) -> None:
        if self._library.board_put(self._board, cycle, kind, port, value):
            raise _full()

    def put_bytes(self, uart: int, cycles: list[int], data: bytes) -> None:
        """Bytes to a UART, each with the cycle at which its stop bit ends."""
        count = len(data)
        if self._library.board_put_bytes(self._board, uart, (ctypes.c_uint64 * count)(*cycles), data, count):
            raise _full()

    def drop_input(self, uart: int) -> None:
        self._library.board_drop_input(self._board, uart)

    def run(self, until_cycle: int, stop_uart: int, silent_bits: int) -> int:
        """Run to a cycle (or a few beyond: instructions are whole); the cycle then.

        It ends earlier when ``silent_bits`` have passed since a UART began to send its last byte.
        """
        cycle = self._library.board_run(self._board, until_cycle, stop_uart, silent_bits)
        if not cycle:
            raise RuntimeError(f"the firmware crashed at cycle {self.cycle}")
        return cycle

    def outputs(self) -> Iterator[Output]:
        """What the chip has done since the last call; to be read before the next run."""
        count = self._library.board_take_outputs(self._board)
        return _OUTPUT.iter_unpack(self._outputs[: count * _OUTPUT.size])

    def reset(self, brown_out: bool = False) -> None:
        self._library.board_reset(self._board, int(brown_out))

    def run_to_main(self) -> None:
        """From power-on to ``main()``: variables have their first values, nothing has run."""
        self._library.board_run_to_main(self._board)

    def write_variable(self, name: str, value: bytes) -> None:
        """Change a variable of the program, named by any part of its (mangled) name."""
        address = self._library.board_find(self._board, name.encode())
        if address < 0:
            raise KeyError(name)
        self._library.board_write_ram(self._board, address, value, len(value))

    @property
    def stack_bytes(self) -> int:
        """Deepest stack so far."""
        return self._library.board_stack(self._board)

    @property
    def longest_isr_cycles(self) -> dict[int, int]:
        """Longest run so far of every interrupt vector that ran."""
        longest = {v: self._library.board_isr_longest(self._board, v) for v in range(1, VECTORS)}
        return {vector: cycles for vector, cycles in longest.items() if cycles}

    def hang(self) -> None:
        self._library.board_hang(self._board)

    @property
    def eeprom(self) -> bytes:
        buffer = ctypes.create_string_buffer(EEPROM_BYTES)
        self._library.board_read_eeprom(self._board, buffer, EEPROM_BYTES)
        return buffer.raw

    @eeprom.setter
    def eeprom(self, value: bytes) -> None:
        self._library.board_write_eeprom(self._board, value, len(value))

    def close(self) -> None:
        if self._board:
            self._library.board_free(self._board)
            self._board = None
