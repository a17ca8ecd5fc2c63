"""Version numbers (R2), names and aliases."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loupe.errors import InvalidArgument

from services.registry.domain.identifiers import id_faults, model_id_faults
from services.registry.domain.images import ImageVersionNumber
from services.registry.domain.models import VersionNumber, check_alias
from services.registry.wire import names

numbers = st.builds(VersionNumber, st.integers(0, 999_999), st.integers(1, 999_999_999))


@given(numbers)
def test_a_version_number_has_one_spelling(number: VersionNumber) -> None:
    """A name is a key: two spellings of one version would be two versions to every cache."""
    assert VersionNumber.parse(str(number)) == number


@given(numbers, numbers)
def test_versions_are_ordered_as_numbers(one: VersionNumber, other: VersionNumber) -> None:
    """R2: v3.100 comes after v3.99 and v10.01 after v9.99, which text would deny."""
    assert (one < other) == ((one.major, one.release_number) < (other.major, other.release_number))


def test_v3_100_comes_after_v3_99() -> None:
    """The source's own rule, spelled out."""
    assert [str(n) for n in sorted(VersionNumber(3, n) for n in (100, 2, 99))] == ["v3.02", "v3.99", "v3.100"]
    assert str(VersionNumber(3, 1)) == "v3.01"


@pytest.mark.parametrize(
    "text",
    ["v3.1", "v3.001", "v3.00", "v03.01", "3.01", "v3", "v3.01 ", "V3.01", "v3.\u0660\u0661", "v-1.01"],
)
def test_other_spellings_are_no_versions(text: str) -> None:
    """Lenience here would make v3.1 mean v3.01 to one caller and v3.10 to another."""
    assert VersionNumber.parse(text) is None


@given(st.integers(0, 999_999), st.integers(0, 999_999))
def test_image_versions_have_one_spelling_too(major: int, minor: int) -> None:
    """v3.0 of an image has no leading zeros; v3.00 is none."""
    assert ImageVersionNumber.parse(str(ImageVersionNumber(major, minor))) == ImageVersionNumber(major, minor)
    assert ImageVersionNumber.parse("v3.00") is None


@given(st.from_regex(r"[A-Za-z]([A-Za-z0-9_-]{0,58}[A-Za-z0-9])?", fullmatch=True))
def test_model_names_are_those_of_the_wizard(name: str) -> None:
    """W1: what the wizard took, the registry takes."""
    assert not model_id_faults(name, "parent")
    assert names.parse_one(names.MODEL, f"models/{name}") == name


@pytest.mark.parametrize("name", ["", "9a", "a-", "_a", "a" * 61, "a.b", "a b", "ä", "a\n", "a/b"])
def test_other_model_names_are_refused_in_both_languages(name: str) -> None:
    """W1, at the registry's door too: NATS subjects are made of them."""
    (fault,) = model_id_faults(name, "parent")
    assert fault.field == "parent"
    assert fault.message_zh


@given(st.text(max_size=80))
def test_no_text_breaks_a_name(text: str) -> None:
    """Whatever comes in is an id or InvalidArgument; and what is an id comes out again."""
    try:
        dataset, path = names.parse_data_path(f"datasets/{text}/paths/p")
    except InvalidArgument:
        assert not re.fullmatch(r"[A-Za-z0-9]+", text) or len(text) > 63
        return
    assert names.DATA_PATH.make(dataset, path) == f"datasets/{text}/paths/p"
    assert not id_faults(dataset, "x")


@pytest.mark.parametrize("alias", ["production", "a", "line-7", "vision", "vx"])
def test_aliases(alias: str) -> None:
    """Words, not numbers."""
    check_alias(alias)
    assert names.parse_model_version(f"models/m/versions/{alias}") == ("m", alias)
