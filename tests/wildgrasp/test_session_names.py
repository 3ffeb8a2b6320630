"""Names of new sessions."""

from datetime import datetime

from wildgrasp.sessions.names import new_session_path

NOW = datetime(2026, 3, 1, 9, 30, 5)


def test_no_two_that_begin_within_a_second_or_lie_in_the_trash_share_a_name(tmp_path):
    folder, trash = tmp_path / "sessions", tmp_path / "trash"
    assert new_session_path(folder, NOW) == folder / "2026-03-01T09-30-05"
    for name in ("2026-03-01T09-30-05", "2026-03-01T09-30-05-2"):
        (folder / name).mkdir(parents=True)
    (trash / "2026-03-01T09-30-05-3").mkdir(parents=True)
    assert new_session_path(folder, NOW).name == "2026-03-01T09-30-05-3"
    assert new_session_path(folder, NOW, trash).name == "2026-03-01T09-30-05-4"
