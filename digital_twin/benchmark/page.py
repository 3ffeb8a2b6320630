"""An evaluation as a page: the rate, where the failures lie, and filmstrips of both kinds of ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader

from digital_twin.benchmark.filmstrips import Film
from digital_twin.benchmark.results import Evaluation
from digital_twin.demo.figures import strip
from wildgrasp.errors import UserError
from wildgrasp.pages import data_uri


def write_page(path: Path, evaluation: Evaluation, films: Sequence[Film]) -> Path:
    """Write one self-contained HTML file. Raises UserError when it cannot be written."""
    environment = Environment(loader=PackageLoader("digital_twin.benchmark", "."), autoescape=True)
    html = environment.get_template("page.html.j2").render(
        evaluation=evaluation,
        result=evaluation.to_json(),
        reasons=evaluation.reasons().most_common(),
        objects=evaluation.per_object(),
        films=[_film(film) for film in films],
        pile=evaluation.settings.get("pile", {}),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html)
    except OSError as error:
        raise UserError(f"The page {path} cannot be written ({error.strerror}). Give another place.") from error
    return path


def _film(film: Film) -> dict[str, object]:
    row = film.row
    captions = [shot.caption for shot in film.shots]
    return {
        "row": row,
        "title": f"Episode {row.number}" + (f", attempt {row.attempt + 1}" if row.attempt else ""),
        "outside": data_uri(strip([shot.outside for shot in film.shots], captions)),
        "near": data_uri(strip([shot.near for shot in film.shots], [""] * len(film.shots))),
    }
