"""The command line's promises: lazily loaded verbs, one clear sentence for a person's error, exit codes."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

from wildgrasp import cli
from wildgrasp.errors import UserError


def test_every_verb_leads_to_a_function_with_a_docstring():
    for name, verb in cli.VERBS.items():
        module, function = verb.target.split(":")
        run = getattr(importlib.import_module(module), function)
        assert run.__doc__, name


@pytest.mark.parametrize("name", cli.VERBS)
def test_help_of_every_verb_names_its_flags(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([*name.split(), "--help"])
    assert stopped.value.code == 0
    assert f"wildgrasp {name}" in capsys.readouterr().out


def test_without_a_verb_all_verbs_are_listed(capsys):
    assert cli.main([]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in cli.VERBS)


def test_an_unknown_verb_is_said_and_fails(capsys):
    assert cli.main(["fly"]) == 2
    assert "'fly'" in capsys.readouterr().out


def test_help_of_a_group_lists_only_the_group(capsys):
    assert cli.main(["import", "--help"]) == 0
    out = capsys.readouterr().out
    assert "import tum" in out and "evaluate" not in out


def test_a_persons_error_is_one_sentence_and_code_2(monkeypatch, capsys):
    def broken() -> None:
        """Break."""
        raise UserError("The disk is full. Nothing was lost; free some space.")

    monkeypatch.setitem(cli.VERBS, "break", cli.Verb("x:y", "", ""))
    monkeypatch.setattr(cli.importlib, "import_module", lambda _: type("m", (), {"y": staticmethod(broken)}))
    assert cli.main(["break"]) == 2
    error = capsys.readouterr().err
    assert error == "wildgrasp break: The disk is full. Nothing was lost; free some space.\n"


def test_a_missing_extra_says_what_to_install(monkeypatch, capsys):
    def missing(_: str):
        raise ModuleNotFoundError("No module named 'mujoco'", name="mujoco")

    monkeypatch.setattr(cli.importlib, "import_module", missing)
    assert cli.main(["simulate"]) == 2
    assert "wildgrasp[twin]" in capsys.readouterr().err


def test_ctrl_c_is_no_stack_trace(monkeypatch, capsys):
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_call", interrupted)
    assert cli.main(["check", "x"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_the_command_line_alone_loads_no_heavy_package():
    code = "import sys, wildgrasp.cli; print([m for m in ('torch', 'mujoco', 'cv2', 'numba') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_a_reader_who_has_had_enough_sees_no_stack_trace(monkeypatch):
    def broken(name, verb, args):
        raise BrokenPipeError

    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as stdout:
        monkeypatch.setattr(cli, "_call", broken)
        monkeypatch.setattr(sys, "stdout", stdout)
        assert cli.main(["check", "session"]) == 1
        stdout.write("what is left goes nowhere")
