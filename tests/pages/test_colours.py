"""Contrast of the design system, computed from its tokens (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).parents[2] / "web/styles/tokens.css").read_text()
TEMPLATE = (Path(__file__).parents[2] / "src/watchword/server/pages/templates/base.html").read_text()
TEXT, PART = 4.5, 3.0
PAIRS = [
    *(("ink", ground, TEXT) for ground in ("paper", "surface", "sunken")),
    *(("ink", ground, TEXT) for ground in ("accent-wash", "danger-wash", "caution-wash")),
    *(("ink-soft", ground, TEXT) for ground in ("paper", "surface", "sunken")),
    *((ink, ground, TEXT) for ink in ("accent", "accent-strong") for ground in ("paper", "surface")),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-strong", TEXT),
    ("accent", "accent-wash", TEXT),
    ("caution", "caution-wash", TEXT),
    ("danger", "danger-wash", TEXT),
    ("danger", "paper", TEXT),
    ("danger", "surface", TEXT),
    ("line-strong", "paper", PART),
    ("line-strong", "surface", PART),
    ("accent", "sunken", PART),
    ("caution", "surface", PART),
]


def tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))


LIGHT = tokens(CSS.split("@media (prefers-color-scheme: dark)")[0])
DARK = tokens(CSS.split("@media (prefers-color-scheme: dark)")[1])


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS)
def test_what_is_written_can_be_read(theme, ink, ground, least):
    colours = LIGHT if theme == "light" else DARK
    assert contrast(colours[ink], colours[ground]) >= least


def test_both_themes_have_the_same_colours():
    assert set(DARK) == set(LIGHT)


def test_the_browser_is_told_the_same_ground():
    assert re.findall(r'name="theme-color".*?content="(#[0-9a-f]{6})"', TEMPLATE) == [
        LIGHT["paper"],
        DARK["paper"],
    ]
