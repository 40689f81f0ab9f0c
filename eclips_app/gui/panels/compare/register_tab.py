"""Registration: by itself or by landmarks, and where the map lies now."""

from __future__ import annotations

from pathlib import Path

from eclips_app.gui.flows.compare import CompareFlow
from eclips_app.gui.qt import Qt, QtWidgets, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo, offer
from eclips_app.model import comparing
from eclips_app.plugin_api.registry import matcher_names

_MODELS = (
    ("shift", "Shift", "The map is moved only"),
    ("similarity", "Shift, rotation, scale", "Moved, turned, and scaled alike in all directions"),
    ("affine", "Affine", "Also stretched along both axes and sheared: a scanner that is not calibrated or not square"),
    ("drift", "Affine with drift", "Also each line of the scan moved smoothly: thermal drift and creep"),
)


class RegisterTab(QtWidgets.QWidget):
    """Starts registrations and tells their result; `landmarks_asked` wants both images side by side."""

    landmarks_asked = Signal()

    def __init__(self, session: Session, flow: CompareFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self.model = CalmCombo("Model", "How the map may differ from the reconstruction")
        for key, text, tip in _MODELS:
            self.model.addItem(text, key)
            self.model.setItemData(self.model.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.matcher = CalmCombo("Matcher", "What finds points that match; a plugin may offer a learned one")
        self.weights = QtWidgets.QLineEdit()
        self.weights.setAccessibleName("Folder of the matcher's weights")
        self.weights.setPlaceholderText("Folder of the weights")
        self.browse = QtWidgets.QPushButton("Choose…")
        self.start = QtWidgets.QPushButton("Register")
        self.start.setProperty("kind", "primary")
        self.start.setToolTip("Find by itself where the map lies")
        self.refine = QtWidgets.QPushButton("Refine this place")
        self.refine.setToolTip("Let the heights correct where the map lies now, for example placed by hand")
        self.others = CalmCombo("Other places", "Other places at which the map fits nearly as well")
        self.result = QtWidgets.QLabel()
        self.result.setWordWrap(True)
        self.result.setAccessibleName("Result of the registration")
        self.show_landmarks = QtWidgets.QPushButton("Set landmarks")
        self.show_landmarks.setToolTip("Show both side by side and click points that match")
        self.by_landmarks = QtWidgets.QPushButton("Register by landmarks")
        self.clear = QtWidgets.QPushButton("Remove all")
        self.clear.setToolTip("Take all landmarks out")
        self.dense = QtWidgets.QCheckBox("Refine by the heights")
        self.dense.setToolTip("Let the heights correct what the landmarks say")
        self.hint = QtWidgets.QLabel()
        self.hint.setWordWrap(True)
        self.hint.setProperty("kind", "faint")
        self.place = QtWidgets.QLabel()
        self.place.setWordWrap(True)
        self.place.setAccessibleName("Placement of the height map")
        self._lay_out()
        self._connect()

    def refresh(self) -> None:
        """Read the flow again."""
        flow = self._flow
        chosen, landmarks = flow.registering, flow.landmarks
        self.model.show_data(chosen.model)
        matchers = matcher_names()
        offer(self.matcher, [("Built in (SIFT)", ""), *((name, name) for name in matchers)], chosen.matcher)
        self._form.setRowVisible(self._matcher_row, bool(matchers))
        self._form.setRowVisible(self._weights_row, bool(chosen.matcher))
        if not self.weights.hasFocus():
            self.weights.setText(chosen.matcher_folder)
        registers = flow.task is not None and flow.task.text.startswith("Register")
        self.start.setText("Stop" if registers else "Register")
        self.start.setEnabled(registers or flow.is_ready())
        self.refine.setEnabled(flow.is_ready())
        places = comparing.other_places(flow.map) if flow.map is not None else []
        self.others.clear()
        for words, fields in [("Other places that fit…", None), *places]:
            self.others.addItem(words, fields)
        self.others.setVisible(bool(places))
        self.others.setEnabled(flow.is_ready())
        self.by_landmarks.setEnabled(flow.can_use_landmarks())
        self.clear.setEnabled(bool(landmarks.pairs))
        self.dense.setChecked(chosen.refine)
        self.hint.setText(
            landmarks.hint if landmarks.pairs else "Where it fails: click points that match in both images."
        )
        self._tell_result(registers)
        placed = flow.map
        rows = comparing.placement_words(placed) if placed is not None else []
        self.place.setText("<table cellspacing='2'>" + "".join(
            f"<tr><td>{name}&nbsp;&nbsp;</td><td>{value}</td></tr>" for name, value in rows
        ) + "</table>")  # fmt: skip

    def _tell_result(self, registers: bool) -> None:
        flow = self._flow
        text, tone = "", "faint"
        if registers and flow.task is not None:
            text = f"{100 * flow.task.fraction:.0f} %  {flow.task.detail}"
        elif flow.problem:
            text, tone = f"{flow.problem} Set landmarks instead.", "error"
        elif flow.map is not None:
            text, is_sure = comparing.placement_sentence(flow.map)
            tone = "faint" if is_sure is None else "good" if is_sure else "warning"
        self.result.setText(text)
        if self.result.property("kind") != tone:
            self.result.setProperty("kind", tone)
            self.result.style().unpolish(self.result)
            self.result.style().polish(self.result)

    def _lay_out(self) -> None:
        form = self._form = QtWidgets.QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Model", self.model)
        form.addRow("Matcher", self.matcher)
        folder = QtWidgets.QHBoxLayout()
        folder.addWidget(self.weights, 1)
        folder.addWidget(self.browse)
        form.addRow("Weights", folder)
        self._matcher_row, self._weights_row = 1, 2
        first = QtWidgets.QHBoxLayout()
        first.addWidget(self.show_landmarks)
        first.addWidget(self.clear)
        first.addStretch(1)
        second = QtWidgets.QHBoxLayout()
        second.addWidget(self.by_landmarks)
        second.addStretch(1)
        self.place.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        layout.addLayout(form)
        layout.addWidget(self.start)
        layout.addWidget(self.result)
        layout.addWidget(self.others)
        third = QtWidgets.QHBoxLayout()
        third.addWidget(self.refine)
        third.addStretch(1)
        layout.addLayout(third)
        layout.addWidget(_heading("Landmarks"))
        layout.addWidget(self.hint)
        layout.addLayout(first)
        layout.addWidget(self.dense)
        layout.addLayout(second)
        layout.addWidget(_heading("Placement"))
        layout.addWidget(self.place)
        layout.addStretch(1)

    def _connect(self) -> None:
        flow = self._flow
        self.model.activated.connect(self._on_model)
        self.matcher.activated.connect(self._on_matcher)
        self.weights.editingFinished.connect(self._on_weights)
        self.browse.clicked.connect(self._on_browse)
        self.start.clicked.connect(self._on_start)
        self.refine.clicked.connect(self._on_refine)
        self.others.activated.connect(self._on_other)
        self.by_landmarks.clicked.connect(flow.register_landmarks)
        self.by_landmarks.setToolTip("Place the map by two or more pairs")
        self.clear.clicked.connect(self._on_clear)
        self.dense.clicked.connect(self._on_dense)
        self.show_landmarks.clicked.connect(self.landmarks_asked)
        flow.landmarks.changed.connect(self.refresh)

    def _on_model(self, _: int) -> None:
        self._flow.set_registering(model=self.model.currentData())

    def _on_matcher(self, _: int) -> None:
        self._flow.set_registering(matcher=self.matcher.currentData())

    def _on_weights(self) -> None:
        self._flow.set_registering(matcher_folder=self.weights.text().strip())

    def _on_browse(self) -> None:
        start = self.weights.text() or self._session.settings.folder("weights")
        chosen = QtWidgets.QFileDialog.getExistingDirectory(self, "Folder of the matcher's weights", start)
        if chosen:
            self._session.settings.set_folder("weights", Path(chosen))
            self._flow.set_registering(matcher_folder=chosen)

    def _on_start(self) -> None:
        if self._flow.task is not None:
            self._flow.stop()
        else:
            self._flow.register()

    def _on_refine(self) -> None:
        self._flow.refine()

    def _on_other(self, _: int) -> None:
        fields = self.others.currentData()
        if fields is not None:
            self._flow.refine(fields)

    def _on_clear(self) -> None:
        self._flow.landmarks.set_complete(())

    def _on_dense(self, on: bool) -> None:
        self._flow.set_registering(refine=on)


def _heading(text: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel(text)
    label.setProperty("kind", "heading")
    return label
