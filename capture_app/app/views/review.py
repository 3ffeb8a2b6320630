"""Review: what was recorded, how each pick went; keep it or not."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QWidget

from capture_app.app.models.app import AppModel
from capture_app.app.views.parts import (
    button,
    clear,
    column,
    label,
    row,
    scroller,
    set_picture,
    set_tone,
    tall_button,
)
from capture_app.app.views.thumb import Thumb
from wildgrasp.qt.theme import MARGIN_PX, TOUCH_PX

SIGNS = {"held": ("held", "good"), "empty": ("missed", "warn"), "dropped": ("drop", "warn")}
SMALL, LARGE = QSize(136, 104), QSize(344, 264)


class ReviewView(QWidget):
    def __init__(self, app: AppModel) -> None:
        super().__init__()
        self._model = app.review
        self._review = None
        self._title, self._health = label(role="title"), label(role="heading")
        self._sign = QLabel()
        self._sign.setFixedSize(34, 34)
        head = row(self._title, None, self._sign, self._health, gap=12)
        self._film = QWidget()
        self._strip = QHBoxLayout(self._film)
        self._strip.setContentsMargins(0, 0, 0, 0)
        self._strip.setSpacing(8)
        self._strip.setAlignment(Qt.AlignmentFlag.AlignLeft)
        area = scroller(self._film)
        area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFixedHeight(SMALL.height())
        self._area = area
        self.thumbs: list[Thumb] = []
        self._large = Thumb(LARGE, tappable=False)
        self._question = label(role="heading", wrap=True)
        self._question.setMinimumHeight(64)
        self._question.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.outcomes = {
            "held": tall_button(self.tr("Held"), "plain", "held", lambda: self._model.label("held"), size=48),
            "empty": tall_button(self.tr("Missed"), "plain", "missed", lambda: self._model.label("empty"), size=48),
            "dropped": tall_button(self.tr("Dropped"), "plain", "drop", lambda: self._model.label("dropped"), size=48),
        }
        for each in self.outcomes.values():
            each.setCheckable(True)
        self._answers = QWidget()
        self._answers.setLayout(row(*self.outcomes.values()))
        middle = row(self._large, column(self._question, self._answers), gap=MARGIN_PX)
        middle.setStretch(1, 1)
        self.discard = button(self.tr("Discard"), "quiet", "trash", app.ask_discard)
        self.cut = button(self.tr("Cut out a part"), "plain", "scissors", app.start_cut)
        self.keep = button(self.tr("Keep"), "primary", "check", self._model.keep)
        foot = row(self.discard, self.cut, self.keep)
        for i, share in enumerate((3, 4, 5)):
            foot.setStretch(i, share)
        for each in (self.discard, self.cut, self.keep):
            each.setFixedHeight(TOUCH_PX)
        content = column(head, area, middle, None, foot, gap=14, margins=(MARGIN_PX, 16, MARGIN_PX, 20))
        self.setLayout(content)
        self._model.changed.connect(self.render)
        self.render()

    def render(self) -> None:
        state = self._model.state
        if state.review is not self._review:
            self._review = state.review
            self._fill(state.review)
        ready = state.review is not None and not state.busy
        for each in (self.keep, self.discard, self.cut):
            each.setEnabled(ready)
        for number, (thumb, outcome) in enumerate(zip(self.thumbs, state.outcomes, strict=False)):
            thumb.setChecked(number == state.selected)
            thumb.sign = SIGNS.get(outcome)
            thumb.update()
        self._answers.setEnabled(ready and bool(self.thumbs))
        self._answers.setVisible(state.review is None or bool(self.thumbs))
        self._show_head(state)
        if state.review is None:
            self._large.set_picture(None)
            self._question.setText("")
            return
        if not self.thumbs:
            self._large.set_picture(state.review.cover)
            self._question.setText(self.tr("No pick was made: the gripper’s button was never pressed."))
            return
        self._area.ensureWidgetVisible(self.thumbs[state.selected], SMALL.width(), 0)
        self._large.set_picture(state.review.picks[state.selected].picture)
        said = state.outcomes[state.selected]
        all_said = all(state.outcomes)
        self._question.setText(
            self.tr("All picks are labelled. Thank you!")
            if all_said
            else self.tr("How did pick {0} go?").format(state.selected + 1)
        )
        for name, each in self.outcomes.items():
            each.setChecked(name == said)

    def _fill(self, review) -> None:
        clear(self._strip)
        self.thumbs = []
        group = QButtonGroup(self)
        for number, pick in enumerate(review.picks if review is not None else ()):
            thumb = Thumb(SMALL)
            thumb.setCheckable(True)
            thumb.caption = str(number + 1)
            thumb.setAccessibleName(self.tr("Pick {0}").format(number + 1))
            thumb.set_picture(pick.picture)
            thumb.clicked.connect(lambda _=False, number=number: self._model.select(number))
            group.addButton(thumb)
            self.thumbs.append(thumb)
            self._strip.addWidget(thumb)

    def _show_head(self, state) -> None:
        review = state.review
        if review is None:
            self._title.setText(self.tr("Looking at it …"))
            self._health.setText("")
            self._sign.clear()
            self._sign.setProperty("shown", "")
            return
        seconds = round(review.duration_s)
        picks = self.tr("%n pick(s)", "", len(review.picks))
        self._title.setText(f"{seconds // 60}:{seconds % 60:02d} · {picks}")
        words = {
            "rescued": self.tr("Interrupted, and rescued"),
            "disk_full": self.tr("The disk was full; this much is saved"),
            "camera": self.tr("The camera was gone for a while"),
            "gripper": self.tr("The gripper was gone for a while"),
            "lost": self.tr("%n picture(s) lost", "", review.lost_frames),
            "no_picks": self.tr("No picks"),
        }
        health = state.health
        set_picture(self._sign, "warning" if health else "check", "warn" if health else "good", 34)
        self._health.setText(words[health[0]] if health else self.tr("All is well"))
        set_tone(self._health, "warn" if health else "good")
