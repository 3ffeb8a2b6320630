"""Every text of the app is there in every language, and what is shipped is made from what people translate."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from capture_app.app.run import TRANSLATIONS
from capture_app.app.settings import LANGUAGES

VIEWS = sorted(str(path) for path in (TRANSLATIONS.parent / "views").glob("*.py"))
BIN = Path(sys.executable).parent


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_missing_or_left_over(language, tmp_path):
    file = tmp_path / f"{language}.ts"
    shutil.copy(TRANSLATIONS / file.name, file)
    plural = ["-pluralonly"] if language == "en" else []
    subprocess.run(
        [BIN / "pyside6-lupdate", *VIEWS, "-ts", file, "-locations", "none", *plural], check=True, capture_output=True
    )
    messages = list(ElementTree.parse(file).getroot().iter("message"))
    assert messages
    odd = {m.findtext("source"): m.find("translation").get("type") for m in messages}
    assert {source: kind for source, kind in odd.items() if kind} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_shipped_is_made_from_the_texts(language, tmp_path):
    made = tmp_path / "made.qm"
    subprocess.run(
        [BIN / "pyside6-lrelease", TRANSLATIONS / f"{language}.ts", "-qm", made], check=True, capture_output=True
    )
    assert made.read_bytes() == (TRANSLATIONS / f"{language}.qm").read_bytes()


def test_places_for_values_are_the_same_in_every_language():
    for message in ElementTree.parse(TRANSLATIONS / "de.ts").getroot().iter("message"):
        source, translation = message.findtext("source"), message.find("translation")
        texts = [form.text for form in translation.iter("numerusform")] or [translation.text]
        for place in ("{0}", "{1}"):
            assert all((place in source) == (place in text) for text in texts), source
