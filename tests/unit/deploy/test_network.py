"""What `loupe up` may be told about the network, and what is kept of it."""

import ipaddress
import ssl
from pathlib import Path

import pytest

from deploy.embedded import network
from deploy.embedded.errors import ServerUnusable
from deploy.embedded.network import EVERY_ADDRESS, Network, NetworkChoice


def test_nobody_else_reaches_a_stack_that_was_told_nothing(tmp_path: Path) -> None:
    """The default is this machine alone, and --bind 127.0.0.1 goes back to it."""
    assert not network.read(tmp_path / "none.json").is_open
    assert NetworkChoice(bind="127.0.0.1").network(tmp_path) == Network()
    assert not NetworkChoice().is_made


@pytest.mark.parametrize(
    ("choice", "named"),
    [
        ({"public_host": "loupe.fab"}, "--public-host needs --bind"),
        ({"self_signed": True}, "--https-self-signed needs --bind"),
        ({"bind": "127.0.0.1", "self_signed": True}, "this machine alone"),
        ({"bind": EVERY_ADDRESS}, "needs --public-host"),
        ({"bind": "loupe.fab"}, "ip -4 address"),
        ({"bind": "192.0.2.1"}, "nothing can listen at 192.0.2.1"),
        ({"bind": EVERY_ADDRESS, "public_host": "https://loupe.fab"}, "without scheme and port"),
        ({"bind": EVERY_ADDRESS, "public_host": "loupe.fab:8080"}, "without scheme and port"),
        ({"bind": EVERY_ADDRESS, "public_host": "a", "certificate": Path("c")}, "go together"),
        ({"bind": EVERY_ADDRESS, "public_host": "a", "key": Path("k")}, "go together"),
        (
            {
                "bind": EVERY_ADDRESS,
                "public_host": "a",
                "certificate": Path("c"),
                "key": Path("k"),
                "self_signed": True,
            },
            "choose one",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused_by_name(
    tmp_path: Path, choice: dict[str, object], named: str
) -> None:
    with pytest.raises(ServerUnusable, match=named):
        NetworkChoice(**choice).network(tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["loupe.fab.example", "10.1.2.3"])
def test_a_certificate_is_made_for_the_host_and_kept(tmp_path: Path, host: str) -> None:
    """The same one at the next start: who trusted its fingerprint still does. Another for another host."""
    chosen = NetworkChoice(bind=EVERY_ADDRESS, public_host=host, self_signed=True).network(tmp_path)
    network.prepare(chosen)
    network.keep(tmp_path / "network.json", chosen)
    first = chosen.fingerprint
    assert len(first.split(":")) == 32
    again = network.read(tmp_path / "network.json")
    network.prepare(again)
    assert (again, again.fingerprint) == (chosen, first)
    assert Path(chosen.key).stat().st_mode & 0o777 == 0o600
    ssl.create_default_context(cafile=chosen.certificate)
    other = NetworkChoice(bind=EVERY_ADDRESS, public_host="other.fab", self_signed=True).network(tmp_path)
    network.prepare(other)
    assert other.fingerprint != first


def test_a_certificate_for_another_host_is_refused_by_name(tmp_path: Path) -> None:
    """Browsers would refuse it in the fab, when nobody is there who could change it."""
    made = NetworkChoice(bind=EVERY_ADDRESS, public_host="one.fab", self_signed=True).network(tmp_path)
    network.prepare(made)
    files = {"certificate": Path(made.certificate), "key": Path(made.key)}
    wrong = NetworkChoice(bind=EVERY_ADDRESS, public_host="two.fab", **files).network(tmp_path)  # type: ignore[arg-type]
    with pytest.raises(ServerUnusable, match=r"is for one\.fab, not for two\.fab"):
        network.prepare(wrong)
    right = NetworkChoice(bind=EVERY_ADDRESS, public_host="one.fab", **files).network(tmp_path)  # type: ignore[arg-type]
    network.prepare(right)
    Path(made.key).write_text("no key")
    with pytest.raises(ServerUnusable, match="cannot be used"):
        network.prepare(right)


def test_an_address_of_every_interface_is_probed_on_this_machine() -> None:
    assert ipaddress.ip_address(Network(bind=EVERY_ADDRESS, public_host="a").probed_at).is_loopback
