"""Names and texts of every kind are taken as they are meant, or refused by name (D3, D5, D7).

Python's own codecs are the oracle of what a text says; what is written into a folder, of what lies in it.
"""

import csv
import io
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from loupe.folders import read_folder
from loupe.groups import BadTable, group_key, parse
from loupe.text import fact_of
from loupe.text_encodings import decode
from loupe.unusable import Unusable

from tests.unit.client.annotations.test_formats import accounted

MARKED = ("utf-8-sig", "utf-16", "utf-32")
"""Encodings that a file begins with a mark of."""
CONCLUDED = ("gbk", "gb18030")
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", *MARKED, *CONCLUDED)
letters = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\ufeff")
common = st.sampled_from("aAb1 .-_,;\"'é划痕面板小联通ßЯ\u0301\u05d0\u0627😀")
words = st.text(common, min_size=1, max_size=6) | st.text(letters, min_size=1, max_size=6)


def written(text: str, encoding: str) -> bytes:
    """The text's bytes, if the encoding has all of its characters; UTF-8 goes before GBK."""
    try:
        data = text.encode(encoding)
    except UnicodeEncodeError:
        assume(False)
        raise
    if encoding in CONCLUDED and not text.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            return data
        assume(False)  # nothing tells it from UTF-8
    return data


@settings(deadline=None)
@given(text=st.text(common | letters, max_size=30), encoding=st.sampled_from(ENCODINGS))
def test_a_text_is_what_was_written_or_is_refused(text: str, encoding: str) -> None:
    """D5: a wrong encoding turns every label into another one, without a word."""
    data = written("{ " + text, encoding)
    try:
        found = decode(data, "a.json")
    except Unusable:
        assert encoding in CONCLUDED
        return
    assert found.text == "{ " + text
    assert bool(found.concluded) == (encoding in CONCLUDED and not text.isascii())


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(words, words), max_size=4),
    encoding=st.sampled_from(ENCODINGS),
    delimiter=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_a_table_of_groups_is_what_was_written_or_is_refused(
    rows: list[tuple[str, str]], encoding: str, delimiter: str, end: str
) -> None:
    """D3: of every encoding that programs write, as of annotations."""
    text = io.StringIO()
    table = csv.writer(text, delimiter=delimiter, lineterminator=end)
    table.writerows([("file", "group"), *rows])
    data = written(text.getvalue(), encoding)
    try:
        found = parse(data)
    except BadTable:
        assert encoding in CONCLUDED
        return
    stripped = [(file.strip(), group_key(group)) for file, group in rows]
    assert [(row.file, row.group) for row in found.rows] == [row for row in stripped if row[0]]


@settings(deadline=None)
@given(
    text=st.text("划痕面板小联通气泡", min_size=4, max_size=12),
    at=st.integers(0, 99),
    is_lost=st.booleans(),
)
def test_one_damaged_byte_does_not_turn_utf8_into_another_encoding(
    text: str, at: int, *, is_lost: bool
) -> None:
    """D3, D5: most such bytes are GB18030 of other characters, and all names and groups were those."""
    begin, name = b"file,group\n", text.encode()
    at %= len(name)
    damage = b"" if is_lost else b"\xff" if name[at] < 0xC0 else b"A"
    data = begin + name[:at] + damage + name[at + 1 :] + b".png,g"
    with pytest.raises(BadTable, match="save it as UTF-8"):
        parse(data)
    with pytest.raises(Unusable, match="save it as UTF-8"):
        decode(data, "a.json")


# --- trees --------------------------------------------------------------------------------------------------

STEMS = (
    *(
        "a",
        "A",
        "a.b",
        "a b",
        " a",
        "a ",
        ".a",
        "a.mask",
        "a_mask",
        "面板 1",
        "\u05d0\u0627",
        "\u202ea",
        "a\u200b",
    ),
    *(unicodedata.normalize(form, "Größe") for form in ("NFC", "NFD")),
)
SUFFIXES = (".png", ".PNG", ".jpg", ".Jpeg", ".bmp", ".tif", ".tiff", ".webp", ".txt", "")
names = st.tuples(
    st.sampled_from(("A", "b-2", "A/deep", "no code", "面板", ".hidden", "")),
    st.sampled_from(STEMS),
    st.sampled_from(("", "", "", ".mask", "_mask", "-mask", ".MASK")),
    st.sampled_from(SUFFIXES),
).map(lambda parts: f"{parts[0]}/{''.join(parts[1:])}".removeprefix("/"))
names = names.filter(lambda name: name != "A")  # which is a folder
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})


@settings(deadline=None)
@given(
    files=st.sets(names, max_size=8),
    grouped=st.sets(names, max_size=4),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
)
def test_every_file_of_a_tree_is_the_sample_that_its_place_says_or_a_line(
    files: set[str], grouped: set[str], encoding: str
) -> None:
    """D5, D7: no picture has the mask or the group of a namesake, however names are written."""
    # Spaces around the fields of a table are nobody's.
    rows = sorted(file for file in grouped & files if file == file.strip())
    table = {file: f"{number} 组" for number, file in enumerate(rows)}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for file in files:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(file)
        text = io.StringIO()
        csv.writer(text).writerows([("file", "group"), *table.items()])
        (root / "groups.csv").write_bytes(text.getvalue().encode(encoding))
        listing = read_folder(root)
        assert accounted(listing)
        assert {sample.place for sample in listing.samples} <= {
            file for file in files if file.count("/") == 1 and file.split("/")[0] in {"A", "b-2"}
        }
        for sample in listing.samples:
            place = Path(sample.place)
            assert sample.file == sample.place
            assert isinstance(sample.image, Path)
            assert sample.image.read_text() == sample.place
            assert place.suffix.lower() in PICTURES
            assert sample.group == table.get(sample.place, "")
            if sample.mask is not None:
                assert isinstance(sample.mask, Path)
                assert is_mask_of(sample.mask.relative_to(root), place)
        used = [source for one in listing.samples for source in (one.image, one.mask) if source]
        assert len(used) == len(set(used))


def is_mask_of(mask: Path, picture: Path) -> bool:
    """Whether the name of one, in any case of what follows the picture's own, is that of the other's mask."""
    ending = mask.name.removeprefix(picture.stem).lower()
    beside = mask.parent == picture.parent and mask.name.startswith(picture.stem)
    named = {f"{mark}mask{suffix}" for mark in "._-" for suffix in PICTURES}
    return beside and (ending in named or (ending == ".png" and picture.suffix.lower() != ".png"))


@pytest.mark.parametrize(
    "error",
    [
        ImportError("cannot import name 'ImageCms' from 'PIL' (/opt/venv/site-packages/PIL/__init__.py)"),
        ModuleNotFoundError("No module named 'imagecodecs'"),
        ValueError("(-215:Assertion failed) at grfmt_bmp.cpp:109"),
        OSError("cannot identify image file <_io.BytesIO object at 0x7f0012345678>"),
    ],
)
def test_what_a_library_says_of_itself_is_not_told(error: Exception) -> None:
    """A person can do nothing with a path of the server or with the name of a module."""
    told = fact_of(error)
    assert told
    assert not any(part in told for part in ("/", "PIL", "0x", ".cpp", "import", "module"))
