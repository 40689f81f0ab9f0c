from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eclips_app.core import schema
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import STEPS, Reconstruct

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*Reconstruct.__dataclass_fields__, "other"]), ANYTHING))
def test_any_json_is_loaded_or_refused_in_words(data: dict[str, Any]) -> None:
    with contextlib.suppress(EclipsError):
        loaded = schema.load(Reconstruct, data)
        assert schema.load(Reconstruct, schema.dump(loaded)) == loaded


def test_every_step_has_parameters_that_survive_json() -> None:
    for step in STEPS.values():
        params = step.params()
        assert schema.load(step.params, schema.dump(params)) == params
