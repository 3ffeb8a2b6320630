"""Choosing one of several: who records, and which task."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QGridLayout, QWidget

from capture_app.app.models.app import AppModel
from capture_app.app.views.parts import button, column, label, row, scroller, tall_button
from wildgrasp.qt.theme import GAP_PX, MARGIN_PX, TOUCH_PX


class ChoiceView(QWidget):
    """A grid of big buttons under a question."""

    def __init__(
        self,
        question: str,
        note: str,
        choices: tuple[str, ...],
        chosen: str,
        columns: int,
        choose: Callable[[str], None],
        back: Callable[[], None] | None,
    ) -> None:
        super().__init__()
        content = QWidget()
        grid = QGridLayout(content)
        grid.setSpacing(GAP_PX)
        grid.setContentsMargins(0, 0, 0, 0)
        self.buttons = {}
        for number, choice in enumerate(choices):
            each = button(choice, "card" if columns < 3 else "plain", None, lambda choice=choice: choose(choice))
            each.setFixedHeight(TOUCH_PX)
            each.setCheckable(True)
            each.setChecked(choice == chosen)
            self.buttons[choice] = each
            grid.addWidget(each, number // columns, number % columns)
        grid.setRowStretch(len(choices), 1)
        head = [label(question, "title"), None]
        if back is not None:
            self.back = tall_button(self.tr("Back"), "quiet", "back", back)
            self.back.setFixedSize(120, TOUCH_PX)
            head.insert(0, self.back)
        self.head = row(*head)
        parts = [self.head]
        if note:
            parts.append(label(note, "body", wrap=True))
        self.setLayout(column(*parts, scroller(content), margins=(MARGIN_PX,) * 4))
        self.layout().setStretch(len(parts), 1)


class ParticipantView(ChoiceView):
    def __init__(self, app: AppModel) -> None:
        state = app.ready.state
        chosen, choose = state.participant, app.choose_participant
        super().__init__(self.tr("Who are you?"), state.consent, state.participants, chosen, 4, choose, None)


class TaskView(ChoiceView):
    """The tasks, and who records, which can be changed when the device changes hands."""

    def __init__(self, app: AppModel) -> None:
        state, back = app.ready.state, lambda: app.show("ready")
        super().__init__(self.tr("What will you do?"), "", state.tasks, state.task, 2, app.choose_task, back)
        not_me = self.tr("I am not {0}").format(state.participant)
        self.person = button(not_me, "quiet", "person", lambda: app.show("participant"))
        self.person.setFixedHeight(TOUCH_PX)
        self.head.addWidget(self.person)
