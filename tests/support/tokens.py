"""The tokens of the installation's own processes, as a test shows them."""

from pathlib import Path

from services.kit.auth import Principal, RefusingVerifier, Role, ServiceTokenVerifier
from services.service_tokens import digest_of, parse_token, token_file


def token_of(process: str, folder: str | Path) -> str:
    """What `scheduler`, `trainer` … shows, of the folder that LOUPE_SERVICE_TOKENS_DIR names."""
    return parse_token(token_file(Path(folder), process).read_text())


def only(token: str, name: str, role: Role) -> ServiceTokenVerifier:
    """Knows one caller."""
    known = {digest_of(token): Principal(name, role)}
    return ServiceTokenVerifier(lambda: known, RefusingVerifier())
