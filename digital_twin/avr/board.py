"""The handheld gripper's electronics in virtual time: Arduino Mega with its firmware, button, servo, host cable.

The AVR binary that is flashed to the device runs in a cycle-accurate simulator. Nothing here waits:
:meth:`Board.run_until` computes what happens up to a time. The AVR's ceramic resonator may be wrong by
``resonator_ppm``; all times in this interface are true times.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from digital_twin.avr.ax12 import VirtualAX12
from digital_twin.avr.host_port import HostPort, PtyPort
from digital_twin.avr.simulator import CLOCK_HZ, PIN, UART, Simulator, pin

DEFAULT_ELF = Path(__file__).parents[2] / "firmware" / "build" / "firmware.elf"
HOST_UART, SERVO_UART = 0, 1
BUTTON_PIN = ("L", 1)  # Arduino D48, input capture of timer 5; pressed is low
DIRECTION_PIN = ("G", 5)  # Arduino D4: high while the firmware drives the servo's wire
VECTOR_NAMES = {
    13: "tick",
    25: "host receive",
    26: "host transmit",
    36: "servo receive",
    37: "servo transmit",
    38: "servo sent",
    46: "button edge",
    50: "clock overflow",
}
OVERFLOW_US = 32_768  # one turn of the firmware's timer
PACKET_END_BITS = 15  # half a byte after the servo's last one: the firmware may be late with the next
PLANT_STEP_NS = 2_000_000
NS = 1_000_000_000


class Board:
    """One device. ``now_ns`` starts at ``start_ns``, when power comes on.

    Raises BoardNotBuiltError (a UserError) when the firmware or the simulator is not built.
    """

    def __init__(
        self,
        elf: Path = DEFAULT_ELF,
        *,
        resonator_ppm: float = 0.0,
        start_ns: int = 0,
        servo: VirtualAX12 | None = None,
        eeprom: bytes | None = None,
        device_us: int = 0,
    ) -> None:
        """``device_us``: where the device's clock starts instead of at 0; near 2**32, to see it wrap."""
        self._simulator = Simulator(Path(elf))
        self._start_ns = start_ns
        self._now_ns = start_ns
        self._cycles_per_ns = CLOCK_HZ * (1 + resonator_ppm * 1e-6) / NS
        self.servo = servo if servo is not None else VirtualAX12()
        self.servo_echo = False  # True: a bus without the direction buffer, the firmware hears itself
        self.on_servo_byte: Callable[[int, int], None] | None = None  # (end of stop bit ns, byte from the firmware)
        self._port: HostPort | PtyPort = HostPort(self)
        self._host_wire_free_ns = [start_ns, start_ns]  # to the device, from the device
        self._servo_wire_free_ns = start_ns
        self._driving = False
        self._reply_ns = (0.0, 0.0)  # start and end on the wire
        self.collisions = 0  # replies during which the firmware drove the wire
        if eeprom is not None:
            self._simulator.eeprom = eeprom
        self._simulator.watch_pin(*DIRECTION_PIN)
        if device_us:
            self._simulator.run_to_main()
            self._simulator.write_variable("overflows", (device_us // OVERFLOW_US).to_bytes(4, "little"))
        self._put_button(start_ns, pressed=False)
        self.servo.advance(start_ns)

    # --- time ---

    @property
    def now_ns(self) -> int:
        return self._now_ns

    def run_until(self, t_ns: int) -> None:
        """Let true time pass up to ``t_ns``; does nothing when that is already past."""
        while self._now_ns < t_ns:
            step = min(t_ns, self._now_ns + PLANT_STEP_NS)
            self._run_to(step)
            self.servo.advance(step)
            self._now_ns = step
            self._port.pump()

    def _run_to(self, t_ns: int) -> None:
        target = self._cycle(t_ns)
        # The servo answers whole packets, and its first byte takes 10 bits more. An echo comes with its byte.
        silent_bits = 0 if self.servo_echo else PACKET_END_BITS
        cycle = 0
        while cycle < target:
            cycle = self._simulator.run(target, SERVO_UART, silent_bits)
            for output in self._simulator.outputs():
                self._handle(*output)

    def _cycle(self, t_ns: float) -> int:
        return round((t_ns - self._start_ns) * self._cycles_per_ns)

    def _true_ns(self, cycle: int) -> float:
        return self._start_ns + cycle / self._cycles_per_ns

    # --- the person ---

    def set_button(self, pressed: bool, bounce_ns: tuple[int, ...] = ()) -> None:
        """Press or let go now. ``bounce_ns``: an even number of later flips of the contact, as offsets from now."""
        if len(bounce_ns) % 2:
            raise ValueError("an odd number of bounces would leave the button in its old state")
        self._put_button(self._now_ns, pressed)
        for count, offset in enumerate(sorted(bounce_ns)):
            self._put_button(self._now_ns + offset, pressed if count % 2 else not pressed)

    def _put_button(self, t_ns: int, pressed: bool) -> None:
        self._simulator.put(self._cycle(t_ns), PIN, pin(*BUTTON_PIN), 0 if pressed else 1)

    # --- the host ---

    @property
    def host_port(self) -> HostPort:
        """In-process serial port with pyserial's interface, in virtual time."""
        if not isinstance(self._port, HostPort):
            raise RuntimeError("the cable is attached to a pty")
        return self._port

    def attach_pty(self) -> str:
        """Plug the cable into a pseudo-terminal; its path. From then on ``host_port`` is not used."""
        if isinstance(self._port, HostPort):
            self._port = PtyPort(self)
        return self._port.path

    def send_to_firmware(self, data: bytes, t_ns: int) -> None:
        byte_ns = self._byte_ns(HOST_UART)
        start = max(self._host_wire_free_ns[0], t_ns)
        cycles = []
        for _ in data:
            start += byte_ns
            cycles.append(self._cycle(start))
        self._simulator.put_bytes(HOST_UART, cycles, data)
        self._host_wire_free_ns[0] = round(start)

    # --- the device ---

    def reset(self, *, brown_out: bool = False) -> None:
        """The reset pin, as opening the port of a real Mega does through DTR, or a sagging supply. EEPROM is kept."""
        self._simulator.drop_input(HOST_UART)
        self._simulator.drop_input(SERVO_UART)
        self._simulator.reset(brown_out)
        self._driving = False

    def hang(self) -> None:
        """Make the firmware hang, as a bug would, so that its watchdog has to help."""
        self._simulator.hang()

    @property
    def eeprom(self) -> bytes:
        return self._simulator.eeprom

    @property
    def overruns(self) -> int:
        """Received bytes that the real chip would have lost."""
        return self._simulator.overruns

    @property
    def stack_bytes(self) -> int:
        """Deepest stack of the firmware so far."""
        return self._simulator.stack_bytes

    @property
    def longest_isr_us(self) -> dict[str, float]:
        """Longest run so far of each of the firmware's interrupts, at exactly 16 MHz."""
        longest = self._simulator.longest_isr_cycles
        return {VECTOR_NAMES.get(v, f"vector {v}"): cycles * 1e6 / CLOCK_HZ for v, cycles in longest.items()}

    def close(self) -> None:
        if isinstance(self._port, PtyPort):
            self._port.close()
        self._simulator.close()

    def _byte_ns(self, uart: int) -> float:
        """Wire time of one byte at the speed the firmware has set."""
        return self._simulator.cycles_per_byte(uart) / self._cycles_per_ns

    def _handle(self, cycle: int, kind: int, port: int, value: int, wire_cycles: int) -> None:
        if kind == PIN:
            self._driving = bool(value)
            self.collisions += self._reply_ns[0] <= self._true_ns(cycle) < self._reply_ns[1]
            return
        t_ns, byte_ns = self._true_ns(cycle), wire_cycles / self._cycles_per_ns
        if port == HOST_UART:
            end = round(max(t_ns, self._host_wire_free_ns[1]) + byte_ns)
            self._host_wire_free_ns[1] = end
            self._port.from_firmware(value, end)
        elif port == SERVO_UART:
            self._servo_byte(value, t_ns, byte_ns)

    def _servo_byte(self, byte: int, t_ns: float, byte_ns: float) -> None:
        end = round(max(t_ns, self._servo_wire_free_ns) + byte_ns)
        self._servo_wire_free_ns = end
        if self.on_servo_byte is not None:
            self.on_servo_byte(end, byte)
        if self.servo_echo:
            self._simulator.put(self._cycle(end), UART, SERVO_UART, byte)
        if not self._driving:
            return  # the buffer's driver is off: the byte does not reach the wire
        reply = self.servo.receive(byte, end, 10 * NS / byte_ns)
        if reply:
            cycles = [self._cycle(ends_ns) for ends_ns, _ in reply]
            self._simulator.put_bytes(SERVO_UART, cycles, bytes(answer for _, answer in reply))
            self._reply_ns = (reply[0][0] - byte_ns, reply[-1][0])
            self._servo_wire_free_ns = reply[-1][0]


class BoardClock:
    """The host's clock in virtual time: the board's true time."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def now_ns(self) -> int:
        return self._board.now_ns

    def sleep_until_ns(self, t_ns: int) -> None:
        self._board.run_until(t_ns)
