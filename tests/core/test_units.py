from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import NM_PER_UNIT, Quantity, format_length, nice_step, parse_length_nm


@pytest.mark.parametrize(
    ("text", "nm"),
    [("2nm", 2.0), ("0.5 um", 500.0), ("1e-3mm", 1000.0), (" .5µm ", 500.0), ("3 Å", 0.3), ("-2 nm", -2.0)],
)
def test_lengths_are_read_in_nm(text: str, nm: float) -> None:
    assert parse_length_nm(text) == pytest.approx(nm, rel=1e-12)


@pytest.mark.parametrize("text", ["", "2", "nm", "2 kg", "2 nm 3", "1e999 nm", "two nm"])
def test_what_is_no_length_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(EclipsError, match="2nm"):
        parse_length_nm(text)


def test_a_bare_number_needs_a_default_unit() -> None:
    assert parse_length_nm("2", default_unit="um") == 2000.0


@given(st.floats(1e-6, 1e12), st.sampled_from(sorted(NM_PER_UNIT)))
def test_any_number_with_any_unit_round_trips(value: float, unit: str) -> None:
    assert parse_length_nm(f"{value!r} {unit}") == pytest.approx(value * NM_PER_UNIT[unit], rel=1e-12)


@given(st.text(max_size=12))
def test_no_text_breaks_the_parser(text: str) -> None:
    with contextlib.suppress(EclipsError):
        assert math.isfinite(parse_length_nm(text))


def test_formats_choose_the_unit() -> None:
    assert [format_length(v) for v in (0.05, 12.3456, 1234.0, 5e6)] == ["50 pm", "12.35 nm", "1.234 µm", "5 mm"]
    assert format_length(math.nan) == "–"


@given(st.floats(1e-9, 1e12))
def test_nice_steps_are_one_two_five_and_fit(span: float) -> None:
    step = nice_step(span)
    mantissa = step / 10.0 ** math.floor(math.log10(step) + 1e-9)
    assert step <= span * (1 + 1e-6)
    assert span < step * 2.5 * (1 + 1e-6)
    assert min(abs(mantissa - m) for m in (1, 2, 5, 10)) < 1e-6


def test_a_quantity_is_strict_json() -> None:
    assert Quantity(1.5, "nm", math.nan).to_json() == {"value": 1.5, "std": None, "unit": "nm"}
