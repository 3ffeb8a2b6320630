/* A small, deterministic face on libsimavr for Python (ctypes).
 *
 * Time is the AVR's cycle count. Inputs (UART bytes, pin levels) are queued with the cycle at which they happen; outputs
 * (UART bytes, watched pins) are queued with the cycle at which they happened. libsimavr is GPL-3: this file belongs to the
 * simulated board only and is linked into no part of the product.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <simavr/avr_eeprom.h>
#include <simavr/avr_ioport.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>

enum { KIND_UART = 1, KIND_PIN = 2 };
enum { TIMER5_OVERFLOW = 50, UARTS = 2, VECTORS = 64, QUEUE = 1 << 14, BITS_SIMAVR = 11, BITS_WIRE = 10, PAINT = 0xC5 };

typedef struct {
  uint64_t cycle;
  uint32_t kind, port, value; /* a pin's port is letter << 8 | bit */
  uint32_t wire;              /* cycles that a sent byte takes on the wire */
} item_t;

typedef struct {
  item_t items[QUEUE]; /* ordered by cycle; head == tail is empty */
  uint32_t head, tail;
} queue_t;

struct board;
typedef struct {
  struct board *board;
  uint32_t port;
} hook_t;

typedef struct board {
  avr_t *avr;
  elf_firmware_t firmware; /* kept for its symbols */
  avr_irq_t *uart_irq[UARTS];
  avr_uart_t *uart[UARTS];
  hook_t uart_hook[UARTS], pin_hook[4];
  uint32_t pin_hooks, overruns;
  queue_t in;
  item_t out[QUEUE];
  uint32_t outputs;
  uint32_t stop_uart, silent_bits; /* see board_run */
  uint64_t target, until;          /* of a run: as asked for, and earlier for a byte */
  int resets;
  avr_int_vector_t *overflow; /* of timer 5 */
  item_t pin; /* the last level that an input pin was given */
  uint32_t variables_end, isr_vector, isr_longest[VECTORS];
  uint64_t isr_begun;
  void (*simavr_reset)(struct avr_t *);
} board_t;

static item_t *at(queue_t *q, uint32_t index) { return &q->items[index & (QUEUE - 1)]; }

static void put_out(board_t *b, uint32_t kind, uint32_t port, uint32_t value) {
  uint32_t wire = kind == KIND_UART ? (uint32_t)b->uart[port]->cycles_per_byte : 0;
  if (b->outputs < QUEUE) b->out[b->outputs++] = (item_t){b->avr->cycle, kind, port, value, wire};
}

/* A sleeping chip skips to its next timer, and an awake one runs to it: this one ends a run. It stays until the run has
 * ended: a chip that falls asleep in this very cycle skips once more. */
static avr_cycle_count_t wake(avr_t *avr, avr_cycle_count_t when, void *param) {
  (void)when;
  (void)param;
  return avr->cycle + 1;
}

static void run_until(board_t *b, uint64_t until) {
  b->until = until;
  if (until >= b->avr->cycle) avr_cycle_timer_register(b->avr, until - b->avr->cycle, wake, b);
}

static void on_uart(struct avr_irq_t *irq, uint32_t value, void *param) {
  hook_t *h = param;
  (void)irq;
  board_t *b = h->board;
  put_out(b, KIND_UART, h->port, value);
  if (h->port != b->stop_uart) return;
  uint64_t silent = b->avr->cycle + b->silent_bits * b->uart[h->port]->cycles_per_byte / BITS_WIRE;
  if (silent < b->target) run_until(b, silent);
}

static void on_pin(struct avr_irq_t *irq, uint32_t value, void *param) {
  hook_t *h = param;
  (void)irq;
  put_out(h->board, KIND_PIN, h->port, value);
}

/* As an external pull: without it, the firmware switching its pull-up on would read as an open contact. */
static void drive_pin(board_t *b, uint32_t level) {
  unsigned bit = 1u << (b->pin.port & 7);
  avr_ioport_external_t pull = {.name = b->pin.port >> 8, .mask = bit, .value = level ? bit : 0};
  avr_ioctl(b->avr, AVR_IOCTL_IOPORT_SET_EXTERNAL(b->pin.port >> 8), &pull);
  avr_raise_irq(avr_io_getirq(b->avr, AVR_IOCTL_IOPORT_GETIRQ(b->pin.port >> 8), b->pin.port & 7), level);
}

static void deliver(board_t *b, const item_t *item) {
  if (item->kind == KIND_PIN) {
    b->pin = *item;
    drive_pin(b, item->value);
    return;
  }
  /* simavr would let a byte take its time on the wire only after the byte before was read, and so run late. Here bytes
   * are delivered at the end of their stop bit, and shown to the program in the next cycle. */
  avr_uart_t *u = b->uart[item->port];
  avr_cycle_count_t wire = u->cycles_per_byte;
  u->cycles_per_byte = 1;
  avr_raise_irq(b->uart_irq[item->port] + UART_IRQ_INPUT, item->value);
  u->cycles_per_byte = wire;
  /* The chip keeps two bytes and one in the shift register; simavr would hold 64. */
  if (((u->input.write - u->input.read) & 63) > 3) b->overruns++;
}

static avr_cycle_count_t pump(avr_t *avr, avr_cycle_count_t when, void *param) {
  board_t *b = param;
  (void)when;
  while (b->in.tail != b->in.head) {
    item_t item = *at(&b->in, b->in.tail);
    if (item.cycle > avr->cycle) return item.cycle;
    b->in.tail++;
    deliver(b, &item);
  }
  return 0;
}

static void arm_pump(board_t *b) {
  avr_cycle_timer_cancel(b->avr, pump, b);
  if (b->in.tail == b->in.head) return;
  uint64_t due = at(&b->in, b->in.tail)->cycle;
  avr_cycle_timer_register(b->avr, due > b->avr->cycle ? due - b->avr->cycle : 1, pump, b);
}

static void no_sleep(avr_t *avr, avr_cycle_count_t cycles) {
  (void)avr;
  (void)cycles;
}

static avr_uart_t *find_uart(avr_t *avr, char name) {
  for (avr_io_t *io = avr->io_port; io; io = io->next)
    if (io->kind && !strcmp(io->kind, "uart") && ((avr_uart_t *)io)->name == name) return (avr_uart_t *)io;
  return NULL;
}

/* simavr counts a parity bit that 8N1 does not send: 11 bits per byte. */
static void correct_uart(avr_uart_t *u) { u->cycles_per_byte = u->cycles_per_byte * BITS_WIRE / BITS_SIMAVR; }

/* The firmware has set a UART's speed. */
static void on_speed(struct avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq;
  (void)value;
  correct_uart(param);
}

static void init_uart(board_t *b, int n) {
  uint32_t no_flags = 0;
  avr_ioctl(b->avr, AVR_IOCTL_UART_SET_FLAGS('0' + n), &no_flags);
  b->uart[n] = find_uart(b->avr, (char)('0' + n));
  b->uart_irq[n] = avr_io_getirq(b->avr, AVR_IOCTL_UART_GETIRQ('0' + n), 0);
  b->uart_hook[n] = (hook_t){b, (uint32_t)n};
  avr_irq_register_notify(b->uart_irq[n] + UART_IRQ_OUTPUT, on_uart, &b->uart_hook[n]);
  avr_irq_t *speed = avr_iomem_getirq(b->avr, b->uart[n]->ubrrl.reg, NULL, AVR_IOMEM_IRQ_ALL);
  avr_irq_register_notify(speed, on_speed, b->uart[n]);
  correct_uart(b->uart[n]);
}

/* simavr resets by itself after the watchdog. */
static void on_reset(struct avr_t *avr) {
  board_t *b = avr->custom.data;
  if (b->simavr_reset) b->simavr_reset(avr);
  b->resets++;
}

/* A reset forgets our timers and the level on the pin: what is outside the chip has not changed. */
static void after_reset(board_t *b) {
  for (int n = 0; n < UARTS; n++) correct_uart(b->uart[n]);
  if (b->pin.kind) {
    drive_pin(b, !b->pin.value);
    drive_pin(b, b->pin.value);
  }
  arm_pump(b);
  run_until(b, b->until);
}

/* Address of a symbol, data without avr-gcc's offset; -1 when there is none. */
static int find_symbol(board_t *b, const char *name, int whole) {
  for (uint32_t n = 0; n < b->firmware.symbolcount; n++) {
    const char *symbol = b->firmware.symbol[n]->symbol;
    if (whole ? !strcmp(symbol, name) : strstr(symbol, name) != NULL) return b->firmware.symbol[n]->addr & 0xFFFF;
  }
  return -1;
}

static void quiet(struct avr_t *avr, const int level, const char *format, va_list arguments) {
  (void)avr;
  if (level <= LOG_ERROR) vfprintf(stderr, format, arguments);
}

/* The RAM behind the variables, so that the depth of the stack shows in it. Without symbols there is nothing to see. */
static void paint_stack(board_t *b) {
  int end = find_symbol(b, "_end", 1), ramend = b->avr->ramend;
  b->variables_end = (uint32_t)(end >= 0 && end <= ramend ? end : ramend + 1);
  memset(b->avr->data + b->variables_end, PAINT, (uint32_t)ramend + 1 - b->variables_end);
}

board_t *board_new(const char *elf, uint32_t hz) {
  board_t *b = calloc(1, sizeof *b);
  avr_global_logger_set(quiet);
  if (elf_read_firmware(elf, &b->firmware) || !(b->avr = avr_make_mcu_by_name("atmega2560"))) {
    free(b);
    return NULL;
  }
  strcpy(b->firmware.mmcu, "atmega2560");
  b->firmware.frequency = hz;
  b->avr->custom.data = b;
  avr_init(b->avr);
  b->simavr_reset = b->avr->reset;
  b->avr->reset = on_reset;
  b->avr->log = LOG_ERROR;
  b->avr->sleep = no_sleep;
  avr_load_firmware(b->avr, &b->firmware);
  paint_stack(b);
  for (int n = 0; n < UARTS; n++) init_uart(b, n);
  for (int n = 0; n < b->avr->interrupts.vector_count; n++)
    if (b->avr->interrupts.vector[n]->vector == TIMER5_OVERFLOW) b->overflow = b->avr->interrupts.vector[n];
  return b;
}

void board_free(board_t *b) {
  avr_terminate(b->avr);
  free(b);
}

void board_watch_pin(board_t *b, char port, int bit) {
  hook_t *h = &b->pin_hook[b->pin_hooks++ & 3];
  *h = (hook_t){b, (uint32_t)port << 8 | (uint32_t)bit};
  avr_irq_register_notify(avr_io_getirq(b->avr, AVR_IOCTL_IOPORT_GETIRQ(port), bit), on_pin, h);
}

/* Returns 0, or -1 when the queue is full. */
int board_put(board_t *b, uint64_t cycle, uint32_t kind, uint32_t port, uint32_t value) {
  queue_t *q = &b->in;
  if (q->head - q->tail >= QUEUE - 1) return -1;
  if (cycle <= b->avr->cycle) cycle = b->avr->cycle + 1;
  uint32_t k = q->head++;
  for (; k != q->tail && at(q, k - 1)->cycle > cycle; k--) *at(q, k) = *at(q, k - 1);
  *at(q, k) = (item_t){cycle, kind, port, value, 0};
  if (k == q->tail) arm_pump(b);
  return 0;
}

/* The same for bytes to a UART, each with its cycle. */
int board_put_bytes(board_t *b, uint32_t uart, const uint64_t *cycles, const uint8_t *bytes, uint32_t count) {
  int full = 0;
  for (uint32_t n = 0; n < count && !full; n++) full = board_put(b, cycles[n], KIND_UART, uart, bytes[n]);
  return full;
}

/* Forget queued bytes of a UART (its cable was pulled). */
void board_drop_input(board_t *b, uint32_t port) {
  queue_t *q = &b->in;
  uint32_t kept = q->tail;
  for (uint32_t k = q->tail; k != q->head; k++) {
    item_t item = *at(q, k);
    if (item.kind != KIND_UART || item.port != port) *at(q, kept++) = item;
  }
  q->head = kept;
  arm_pump(b);
}

/* simavr 1.6 forgets an overflow that waits to be served when the program clears another flag of the timer; the chip does
 * not. Once its interrupt is enabled, the program clears this one by serving it only. */
static void keep_overflow(board_t *b, int was_waiting) {
  avr_int_table_t *table = &b->avr->interrupts;
  int served = table->running_ptr && table->running[table->running_ptr - 1] == b->overflow;
  if (was_waiting && !served && !avr_regbit_get(b->avr, b->overflow->raised)) avr_raise_interrupt(b->avr, b->overflow);
}

/* How long an interrupt runs: simavr returns from avr_run where one begins or ends. */
static void measure(board_t *b) {
  avr_t *avr = b->avr;
  uint32_t running = avr->interrupts.running_ptr ? avr->interrupts.running[0]->vector : 0;
  if (running == b->isr_vector) return;
  if (b->isr_vector) {
    uint32_t cycles = (uint32_t)(avr->cycle - b->isr_begun);
    if (cycles > b->isr_longest[b->isr_vector]) b->isr_longest[b->isr_vector] = cycles;
  }
  b->isr_vector = running;
  b->isr_begun = avr->cycle;
}

/* Run until the target, a crash, or until a UART is silent: so many bits after it began to send its last byte. Returns the
 * cycle, 0 after a crash.
 *
 * avr_run runs on to the next timer or interrupt, but only one instruction while an overflow has to be kept. */
uint64_t board_run(board_t *b, uint64_t target, uint32_t stop_uart, uint32_t silent_bits) {
  avr_t *avr = b->avr;
  int state = avr->state, resets = b->resets;
  b->stop_uart = stop_uart;
  b->silent_bits = silent_bits;
  b->target = target;
  run_until(b, target);
  while (avr->cycle < b->until && state != cpu_Done && state != cpu_Crashed) {
    int waiting = avr_regbit_get(avr, b->overflow->raised) && avr_regbit_get(avr, b->overflow->enable);
    avr->run_cycle_limit = waiting ? 1 : UINT32_MAX;
    if (waiting) avr->run_cycle_count = 1;
    state = avr_run(avr);
    keep_overflow(b, waiting);
    measure(b);
    if (b->resets != resets) {
      resets = b->resets;
      after_reset(b);
    }
  }
  avr_cycle_timer_cancel(avr, wake, b);
  return state == cpu_Done || state == cpu_Crashed ? 0 : avr->cycle;
}

/* How many outputs there are since the last call. They stay at board_outputs until the next run. */
uint32_t board_take_outputs(board_t *b) {
  uint32_t count = b->outputs;
  b->outputs = 0;
  return count;
}

const item_t *board_outputs(board_t *b) { return b->out; }
uint64_t board_cycle(board_t *b) { return b->avr->cycle; }
uint32_t board_overruns(board_t *b) { return b->overruns; }
uint32_t board_cycles_per_byte(board_t *b, int uart) { return (uint32_t)b->uart[uart]->cycles_per_byte; }

/* Pull the reset pin, or let the supply sag. */
void board_reset(board_t *b, int brown_out) {
  avr_reset(b->avr);
  avr_regbit_clear(b->avr, b->avr->reset_flags.porf);
  avr_regbit_set(b->avr, brown_out ? b->avr->reset_flags.borf : b->avr->reset_flags.extrf);
  after_reset(b);
}

/* Address of the first symbol whose name contains the text; -1 when there is none. */
int board_find(board_t *b, const char *text) { return find_symbol(b, text, 0); }

/* From reset to main(): memory is initialised, nothing has run. */
void board_run_to_main(board_t *b) {
  int address = board_find(b, "main");
  while ((int)b->avr->pc != address && b->avr->cycle < 1000000) avr_run(b->avr);
}

void board_write_ram(board_t *b, uint32_t address, const uint8_t *bytes, uint32_t size) {
  memcpy(b->avr->data + address, bytes, size);
}

/* Bytes between the end of RAM and the deepest stack so far: what is not painted any more. */
uint32_t board_stack(board_t *b) {
  uint32_t lowest = b->variables_end;
  while (lowest <= b->avr->ramend && b->avr->data[lowest] == PAINT) lowest++;
  return b->avr->ramend + 1 - lowest;
}
uint32_t board_isr_longest(board_t *b, uint32_t vector) { return vector < VECTORS ? b->isr_longest[vector] : 0; }

/* Make the program hang, as a bug would: an endless jump to itself at the end of flash. */
void board_hang(board_t *b) {
  uint32_t last = b->avr->flashend - 1;
  b->avr->flash[last] = 0xFF;
  b->avr->flash[last + 1] = 0xCF;
  if (b->avr->codeend < b->avr->flashend) b->avr->codeend = b->avr->flashend;
  b->avr->pc = last;
}

int board_read_eeprom(board_t *b, uint8_t *bytes, uint32_t size) {
  avr_eeprom_desc_t description = {bytes, 0, size};
  return avr_ioctl(b->avr, AVR_IOCTL_EEPROM_GET, &description);
}

int board_write_eeprom(board_t *b, const uint8_t *bytes, uint32_t size) {
  avr_eeprom_desc_t description = {(uint8_t *)bytes, 0, size};
  return avr_ioctl(b->avr, AVR_IOCTL_EEPROM_SET, &description);
}
