"""Shapes and their pixels (D1): areas without a bias, cut at the picture's edge, and COCO's run lengths."""

import contextlib
import io
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from loupe.annotations.mask_pixels import Stencil
from loupe.annotations.run_lengths import run_lengths
from loupe.annotations.shapes import Circle, Polygon, Shape, Stroke, area_px, box
from loupe.unusable import Unusable
from PIL import Image

Points = tuple[tuple[float, float], ...]


def _pixels(shape: Shape, width: int, height: int) -> np.ndarray:
    canvas = np.zeros((height, width), np.uint8)
    shape.paint(canvas, 7)
    assert set(np.unique(canvas)) <= {0, 7}
    return canvas == 7


@st.composite
def _stars(draw: st.DrawFn) -> Points:
    """Simple polygons: corners at growing angles around a centre, some outside of a picture of 100 by 80."""
    corners = draw(st.integers(3, 12))
    x, y = draw(st.tuples(st.floats(-20, 120), st.floats(-20, 100)))
    steps = [draw(st.floats(0.2, 1)) for _ in range(corners)]
    # No gap reaches half a turn, else the centre would be outside and the line might cross itself.
    angles = np.cumsum(steps) / (sum(steps) + 0.2) * 2 * math.pi
    radii = [draw(st.floats(0.5, 60)) for _ in range(corners)]
    return tuple((x + r * math.cos(a), y + r * math.sin(a)) for r, a in zip(radii, angles, strict=True))


def _area(points: Points) -> float:
    following = (*points[1:], points[0])
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, following, strict=True))) / 2


def _perimeter(points: Points) -> float:
    return sum(math.dist(a, b) for a, b in zip(points, (*points[1:], points[0]), strict=True))


def _from_outline(points: Points, centre: tuple[float, float]) -> float:
    """The distance of a point from the nearest edge."""

    def from_edge(a: tuple[float, float], b: tuple[float, float]) -> float:
        edge, to = np.subtract(b, a), np.subtract(centre, a)
        along = np.clip(edge @ to / max(edge @ edge, 1e-300), 0, 1)
        return float(np.linalg.norm(to - along * edge))

    return min(from_edge(a, b) for a, b in zip(points, (*points[1:], points[0]), strict=True))


@given(_stars())
@settings(max_examples=60, deadline=None)
def test_a_polygon_covers_its_area(points: Points) -> None:
    """Only pixels that the line touches can be wrong, and to both sides: no bias by the outline."""
    moved = tuple((x + 100, y + 100) for x, y in points)  # all of it on the canvas
    found = int(_pixels(Polygon(moved), 300, 280).sum())
    assert abs(found - _area(points)) <= 0.75 * _perimeter(points) + len(points)


@given(_stars())
@settings(max_examples=40, deadline=None)
def test_clipping_is_the_same_as_painting_on_a_larger_picture(points: Points) -> None:
    """What lies outside is cut off and moves nothing that lies inside."""
    moved = tuple((x + 100, y + 100) for x, y in points)
    whole = _pixels(Polygon(moved), 300, 280)
    part = _pixels(Polygon(points), 100, 80)
    seen = whole[100:180, 100:200]
    if not seen.any():
        # What shows of it covers no centre: then its corners stand for it.
        assert part.sum() <= len(points)
        return
    assume(_area(points) > 4)
    # Rounding of 100 more may tip a centre that lies on the line.
    for y, x in np.argwhere(seen != part):
        assert _from_outline(points, (x + 0.5, y + 0.5)) < 1e-9


@pytest.mark.parametrize("scale", [1e-3, 1e7])
def test_a_polygon_of_any_size_is_painted_at_once(scale: float) -> None:
    """A speck is not lost, and a corner at ten million pixels allocates nothing."""
    found = _pixels(Polygon(((5 - scale, 5.5), (5.2, 5.5 - scale), (5.2 + scale, 5.5 + scale))), 10, 10)
    assert found[5, 5]
    assert found.sum() <= (2 if scale < 1 else 100)


def test_boxes_cover_the_pixels_between_their_edges() -> None:
    """From 2 to 5 are the pixels 2, 3 and 4, in each direction; corners in any order mean the same box."""
    found = _pixels(box(2, 1, 5, 3), 8, 6)
    assert (found.sum(), found[1:3, 2:5].all()) == (6, True)


def test_an_even_odd_polygon_leaves_its_hole_out() -> None:
    """Annotators cut a hole by a line in and out again."""
    ring = ((0, 0), (10, 0), (10, 10), (0, 10), (0, 0), (3, 3), (3, 7), (7, 7), (7, 3), (3, 3))
    assert _pixels(Polygon(ring), 10, 10).sum() == 100 - 16


@given(st.floats(-5, 25), st.floats(-5, 25), st.floats(1, 12))
@settings(max_examples=40, deadline=None)
def test_discs_and_lines_have_their_area(x: float, y: float, radius: float) -> None:
    """A circle by its radius; a line by its width, with round ends."""
    disc = area_px([Circle((x + 40, y + 40), radius)], 120, 120)
    assert abs(disc - math.pi * radius**2) <= 2 * math.pi * radius + 1
    line = area_px([Stroke(((x + 20, y + 20), (x + 60, y + 50)), 2 * radius)], 120, 120)
    assert abs(line - 100 * radius - math.pi * radius**2) <= 100 + 4 * math.pi * radius


def test_a_stencil_is_laid_where_it_belongs_and_cut_at_the_edge() -> None:
    """LabelMe's masks are small pictures at a place."""
    buffer = io.BytesIO()
    Image.fromarray(np.array([[1, 0, 1], [0, 1, 1]], np.uint8) * 255).save(buffer, "PNG")
    found = _pixels(Stencil(-1, 3, buffer.getvalue(), 3, 2, "a"), 4, 5)
    assert np.argwhere(found).tolist() == [[3, 1], [4, 0], [4, 1]]


def _compressed(counts: list[int]) -> str:
    """The writing half, from the format's description."""
    text = ""
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            code = value & 0x1F
            value >>= 5
            more = value != (-1 if code & 0x10 else 0)
            text += chr(48 + (code | 0x20 if more else code))
    return text


@pytest.mark.parametrize(
    ("size", "counts", "boxes"),
    [
        ([6, 9], "01<2G0000000:N", [(0, 1, 0, 1), (1, 4, 2, 7), (5, 6, 8, 9)]),
        ([1000, 4], "SS1bg0f70ZL\\7UL", [(123, 877, 1, 3), (5, 995, 3, 4)]),
    ],
)
def test_run_lengths_of_the_coco_api_are_read(
    size: list[int], counts: str, boxes: list[tuple[int, int, int, int]]
) -> None:
    """Written by pycocotools 2.0, so that a reader and a writer of our own cannot err together."""
    expected = np.zeros(size, bool)
    for top, bottom, left, right in boxes:
        expected[top:bottom, left:right] = True
    assert (_pixels(run_lengths({"size": size, "counts": counts}, "x"), size[1], size[0]) == expected).all()


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=40), st.booleans())
def test_both_ways_of_writing_run_lengths_mean_the_same(
    counts: list[int],
    compressed: bool,  # noqa: FBT001 -- drawn
) -> None:
    """Uncompressed lists and compressed text, whatever the runs are."""
    total = sum(counts)
    if sum(counts[1::2]) == 0:  # one that marks nothing is refused
        return
    shape = run_lengths({"size": [total, 1], "counts": _compressed(counts) if compressed else counts}, "x")
    assert shape.counts.tolist() == counts
    assert _pixels(shape, 1, total).sum() == sum(counts[1::2])


@pytest.mark.parametrize(
    ("segmentation", "told"),
    [
        ({"size": [2, 3], "counts": [1, 2]}, "add up to 3, but 3×2 are 6"),
        ({"size": [2, 3], "counts": [1, -2, 7]}, "count 1 is -2"),
        ({"size": [2, 3], "counts": [1, 2.5]}, "neither a list of whole numbers"),
        ({"size": [2, 3]}, "neither a list of whole numbers"),
        ({"size": [2, 3], "counts": "0 0"}, "character 1"),
        ({"size": [2, 3], "counts": "é"}, "character 0"),
        ({"size": [2, 3], "counts": "1Q"}, "ends? inside a number"),
        ({"size": [2, 3], "counts": "o" * 9}, "belongs to no number"),
        ({"size": [2], "counts": [6]}, "its size is"),
        ({"size": [-2, -3], "counts": [6]}, "its size is"),
        ({"size": [10**4, 10**4], "counts": [10**8]}, "above the limit"),
        ({"size": [2**40, 2**40], "counts": [2**80]}, "above the limit"),
        ({"size": [2, 3], "counts": [10**4000]}, "count 0 is 1000"),
    ],
)
def test_bad_run_lengths_are_refused_before_a_pixel_is_made(
    segmentation: dict[str, object], told: str
) -> None:
    """Hostile sizes must cost nothing, and a person must learn what is wrong with which annotation."""
    with pytest.raises(Unusable, match=told) as refused:
        run_lengths(segmentation, "a.json: annotations[3].segmentation")
    assert refused.value.reason == "BAD_RLE"
    assert refused.value.message.startswith("a.json: annotations[3]")


@given(st.text(max_size=30))
def test_any_text_is_run_lengths_or_refused(text: str) -> None:
    """No text ends in anything but a verdict."""
    with contextlib.suppress(Unusable):
        assert run_lengths({"size": [3, 4], "counts": text}, "x").counts.sum() == 12
