"""URScript becomes generators: control flow, threads, globals, poses; and what is no URScript is refused."""

import numpy as np
import pytest

from digital_twin.ur_controller import motion
from digital_twin.ur_controller.interpreter import load
from digital_twin.ur_controller.machine import Machine
from digital_twin.ur_controller.urscript import ScriptError, compile_program, split_programs

PROGRAM = """
def main():
  global total = 0   # a comment with "quotes"
  global counts =
0
  def add(x, times=2):
    i = 0
    while i < times:
      total = total + x
      i = i + 1
    end
    return total
  end
  thread ticker():
    while True:
      counts = counts + 1
      sync()
    end
  end
  global handle = run ticker()
  if add(3) == 6:
    write_output_integer_register(0, total)
  elif total > 100:
    write_output_integer_register(0, -1)
  else:
    write_output_integer_register(0, -2)
  end
  n = 0
  while n < 5:
    n = n + 1
    sync()
  end
  kill handle
  write_output_integer_register(1, counts)
  p = p[0.1, 0.2, 0.3, 0, 0, 0]
  write_output_float_register(0, p[1])
end
"""


def run(source, cycles=50):
    machine = Machine()
    load(machine, source)
    for _ in range(cycles):
        machine.tick()
    return machine


def test_functions_threads_globals_branches_and_poses():
    machine = run(PROGRAM)
    assert machine.int_out[0] == 6
    assert machine.int_out[1] == 4  # a thread starts in the cycle after `run`, and ends at `kill`
    assert machine.double_out[0] == pytest.approx(0.2)
    assert not machine.running
    assert machine.messages[-1] == "program stopped: it ended"


@pytest.mark.parametrize(
    "body",
    [
        "x = (1).__class__",
        "import os",
        "f = lambda: 1",
        "open('/etc/passwd')",
        "x = __import__('os')",
        "this is not a program",
    ],
)
def test_what_is_no_urscript_does_not_run(body):
    machine = run(f"def main():\n  {body}\n  write_output_integer_register(0, 7)\nend\n")
    assert machine.int_out[0] == 0
    assert not machine.running


def test_an_unfinished_program_is_refused():
    with pytest.raises(ScriptError, match="complete"):
        compile_program("def main():\n  while True:\n    sync()\n  end\n", {}, {"sync"})


def test_a_runtime_error_stops_the_program_with_its_reason():
    machine = run("def main():\n  movel(p[5, 0, 0, 0, 0, 0])\nend\n")
    assert "no solution" in machine.messages[-1]


def test_programs_are_cut_out_of_the_stream_wherever_it_is_broken():
    stream = "def a():\n  sync()\nend\nstopj(2)\nsec b():\n  textmsg(1)\nend\n"
    for cut in range(len(stream)):
        first, rest = split_programs(stream[:cut])
        second, rest = split_programs(rest + stream[cut:])
        assert rest == ""
        assert [p.split("(")[0] for p in first + second] == ["def a", "def statement", "sec b"]


def test_sleep_takes_the_time_it_says():
    machine = Machine()
    load(machine, "def main():\n  sleep(0.4)\nend\n")
    while machine.running:
        machine.tick()
    assert machine.time == pytest.approx(0.4, abs=2 * machine.dt)


def test_servoj_follows_lookahead_behind_and_reaches_what_stays():
    machine = Machine()
    goal = machine.q.copy()
    lags = []
    for _ in range(200):
        goal[0] += 0.4 * machine.dt
        next(motion.servoj(machine, goal.tolist(), t=machine.dt, lookahead_time=0.03, gain=1000))
        lags.append((goal - machine.q_target)[0] / 0.4)
    assert lags[-1] == pytest.approx(0.03, abs=0.01)
    for _ in range(100):
        next(motion.servoj(machine, goal.tolist(), t=machine.dt, lookahead_time=0.03, gain=1000))
    np.testing.assert_allclose(machine.q_target, goal, atol=1e-4)
