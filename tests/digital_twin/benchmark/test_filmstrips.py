"""A filmed episode is the one that was counted, and the page shows both kinds of ends."""

from dataclasses import replace

import numpy as np
import pytest

from digital_twin.benchmark.filmstrips import Film, Shot, film, worth_a_look
from digital_twin.benchmark.page import write_page
from digital_twin.benchmark.policies import policy_maker
from digital_twin.benchmark.results import EpisodeRow, Evaluation
from digital_twin.benchmark.trials import Trial, run_trial
from digital_twin.world.cell_piles import PileSettings
from wildgrasp.errors import UserError


def row(number, reason):
    truth = reason == ""
    return EpisodeRow(0, number, "mug <b>", 5, "success" if truth else "empty", reason, truth, truth, 0.03, 5.0, 0.1)


def evaluation(*reasons):
    rows = tuple(row(number, reason) for number, reason in enumerate(reasons))
    return Evaluation("tabletop", "x", rows, {"difficulty": "nominal", "seed": 0, "pile": {"family": "test"}})


def test_what_is_filmed_is_what_was_counted():
    trial = Trial(3, pile=PileSettings(objects=(2, 3)))
    counted = run_trial(trial, policy_maker("straight-down"))[0]
    shown = film(trial, "straight-down")
    strip = {"wall_seconds": 0.0, "ms": {}}
    assert replace(shown.row, **strip) == replace(counted, **strip)
    captions = [shot.caption for shot in shown.shots]
    assert captions[0] == "look 1"
    assert captions[-1] in ("lifted", "at the end")
    first, last = shown.shots[0].outside.astype(int), shown.shots[-1].outside.astype(int)
    assert np.abs(first - last).mean() > 1  # the arm has moved


def test_every_reason_of_failure_is_shown_before_any_twice():
    chosen = worth_a_look(evaluation("missed", "missed", "", "slipped", "", "stuck", ""), 3)
    assert [r.reason for r in chosen] == ["missed", "slipped", "stuck", "", "", ""]
    assert [r.number for r in worth_a_look(evaluation("", "", ""), 2)] == [0, 2]
    assert worth_a_look(evaluation(), 4) == []


def test_the_page_is_whole_and_escapes_names(tmp_path):
    shot = Shot("look 1", np.full((36, 48, 3), 90, np.uint8), np.full((36, 64, 3), 30, np.uint8))
    page = write_page(tmp_path / "new" / "page.html", evaluation("missed", ""), [Film(row(0, "missed"), (shot,))])
    text = page.read_text()
    assert "50 %" in text
    assert "mug &lt;b&gt;" in text and "mug <b>" not in text
    assert text.count("data:image") == 2


def test_a_page_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_page(tmp_path / "file" / "page.html", evaluation(), [])
