"""``doctor``: what it finds is what is there, and whatever is not good comes with how to mend it."""

import json
import sys

from wildgrasp import doctor
from wildgrasp.cli import main
from wildgrasp.doctor import Finding, Verdict


def test_packages_that_are_missing_are_named_with_their_extra():
    assert doctor.packages("base", ["numpy"]).verdict is Verdict.GOOD
    finding = doctor.packages("policy", ["numpy", "no_such_package"])
    assert finding.found == "no_such_package missing"
    assert "wildgrasp[policy]" in finding.mend


def test_a_probe_that_crashes_hangs_or_fails_is_a_finding(monkeypatch):
    monkeypatch.setattr(doctor, "_PROBE_S", 5.0)
    assert doctor._probe("print('two'); print('lines')") == ("two; lines", "")
    assert doctor._probe("raise ValueError('why')") == ("", "ValueError: why")
    assert "ended with -" in doctor._probe("import os; os.abort()")[1]
    monkeypatch.setattr(doctor, "_PROBE_S", 0.2)
    assert "no answer" in doctor._probe("import time; time.sleep(60)")[1]


def test_the_verb_tells_writes_and_ends_with_what_it_found(monkeypatch, tmp_path, capsys):
    findings = [Finding("one", Verdict.GOOD, "fine"), Finding("two", Verdict.NOTE, "[old]", "renew it")]
    monkeypatch.setattr(doctor, "examine", lambda: iter(findings))
    assert main(["doctor", "--json", str(tmp_path / "found.json")]) == 0
    assert "renew it" in capsys.readouterr().out
    assert json.loads((tmp_path / "found.json").read_text())["findings"][1] == {
        "name": "two",
        "verdict": "note",
        "found": "[old]",
        "mend": "renew it",
    }
    findings.append(Finding("three", Verdict.BAD, "broken", "mend it"))
    assert main(["doctor"]) == 1


def test_this_computer_is_examined_to_the_end():
    found = {f.name: f for f in doctor.examine()}
    assert found["Python"].found == ".".join(map(str, sys.version_info[:3]))
    assert found["offscreen drawing"].verdict is Verdict.GOOD
    assert all(f.mend for f in found.values() if f.verdict is not Verdict.GOOD)
