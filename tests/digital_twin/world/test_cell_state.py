"""A reader of the shared state never sees half of one state and half of another."""

import multiprocessing

import numpy as np

from digital_twin.world.cell_state import SharedState

SIZE = 500


def write_many(state, count):
    for k in range(1, count + 1):
        state.write(k, np.full(SIZE, float(k)))


def test_nothing_written_yet():
    state = SharedState(multiprocessing.get_context("spawn"), SIZE)
    assert state.read()[0] == 0


def test_every_read_is_whole_while_another_process_writes():
    context = multiprocessing.get_context("fork")
    state = SharedState(context, SIZE)
    count = 20000
    writer = context.Process(target=write_many, args=(state, count))
    writer.start()
    t_last = 0
    while t_last < count:
        t_ns, values = state.read()
        assert (values == t_ns).all()
        assert t_ns >= t_last
        t_last = t_ns
    writer.join()
