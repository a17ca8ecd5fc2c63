"""`loupe users`, `tokens` and `whoami` (A1, A2)."""

import uuid
from datetime import UTC, datetime, timedelta

import click
from loupe import names
from loupe.access.v1 import access_pb2
from loupe.client import AsyncLoupe, pages
from loupe.commands.session import Session, remote
from loupe.registry.v1 import identity_pb2, identity_service_pb2
from loupe.rendering import enum_word, facts, local_time, message_json, table

_ADMIN = "users/admin"
ROLES = ("viewer", "engineer", "releaser", "admin")

role_option = click.option(
    "--role", type=click.Choice(ROLES), required=True, help="Each may do all that the ones before it may."
)


@click.command(short_help="Show whom your token speaks for.")
@remote
async def whoami(session: Session) -> None:
    """Show whom your token speaks for, and which role it has."""
    principal = await session.client.identity.WhoAmI(identity_service_pb2.WhoAmIRequest())
    session.out.answer(
        message_json(principal),
        facts(
            {
                "principal": principal.name,
                "role": enum_word(access_pb2.Role, principal.role).lower(),
                "token": principal.token,
                "expires": local_time(principal.expire_time),
                "profile": session.client.profile.source,
            }
        ),
    )


@click.group(short_help="Create, change and list users.")
def users() -> None:
    """Create, change and list users, and give them passwords for the console."""


@users.command("create", short_help="Create a user.")
@click.argument("user")
@role_option
@click.option("--display-name", default="")
@remote
async def create_user(session: Session, user: str, role: str, display_name: str) -> None:
    """Create a user; `loupe tokens create USER` then makes a token.

    \b
    Example:
      loupe users create mes-line-3 --role engineer
    """
    made = await session.client.identity.CreateUser(
        identity_service_pb2.CreateUserRequest(
            user_id=user.removeprefix("users/"),
            user=identity_pb2.User(
                role=access_pb2.Role.Value(f"ROLE_{role.upper()}"), display_name=display_name
            ),
        )
    )
    session.out.answer(message_json(made), f"created {made.name}, {role}")
    session.out.hint(f"next: loupe tokens create {names.short(made.name)} --role {role}")


@users.command("update", short_help="Change a user's role or name, disable or enable.")
@click.argument("user")
@click.option("--role", type=click.Choice(ROLES), default=None)
@click.option("--display-name", default=None)
@click.option("--disable/--enable", "disabled", default=None, help="A disabled user is out at once.")
@remote
async def update_user(
    session: Session, user: str, role: str | None, display_name: str | None, *, disabled: bool | None
) -> None:
    """Change what is given of a user.

    \b
    Example:
      loupe users update alice --role releaser
    """
    request = identity_service_pb2.UpdateUserRequest(
        user=identity_pb2.User(
            name=names.resource("users", user),
            role=access_pb2.Role.Value(f"ROLE_{(role or 'unspecified').upper()}"),
            display_name=display_name or "",
            disabled=disabled or False,
        )
    )
    given = {"role": role, "display_name": display_name, "disabled": disabled}
    request.update_mask.paths.extend(name for name, value in given.items() if value is not None)
    if not request.update_mask.paths:
        raise click.UsageError("say what to change: --role, --display-name, --disable or --enable")
    changed = await session.client.identity.UpdateUser(request)
    session.out.answer(message_json(changed), f"changed {changed.name}")


@users.command("reset-password", short_help="Give a user a one-time password for the console.")
@click.argument("user")
@remote
async def reset_password(session: Session, user: str) -> None:
    """Give a user a one-time password for the console, where an own one is chosen at once.

    Ends the user's sessions, and a lock-out after too many failures.

    \b
    Example:
      loupe users reset-password alice
    """
    reset = await session.client.identity.ResetPassword(
        identity_service_pb2.ResetPasswordRequest(name=names.resource("users", user))
    )
    session.out.answer(
        message_json(reset), facts({"user": user, "one-time password": reset.one_time_password})
    )


async def first_log_in(client: AsyncLoupe) -> str:
    """How the administrator of the installation logs in to the console.

    As long as nobody has logged in as `admin`, that is a new one-time password.
    """
    request = identity_service_pb2.ListUsersRequest(page_size=500)
    async for user in pages(client.identity.ListUsers, request, "users"):
        if user.name == _ADMIN and user.password_state == identity_pb2.PASSWORD_STATE_OWN:
            return "user admin, with the password chosen at the first log-in"
    reset = await client.identity.ResetPassword(identity_service_pb2.ResetPasswordRequest(name=_ADMIN))
    return f"user admin, one-time password {reset.one_time_password}"


@users.command("list", short_help="List users.")
@remote
async def list_users(session: Session) -> None:
    """List all users."""
    request = identity_service_pb2.ListUsersRequest(page_size=500)
    found = [item async for item in pages(session.client.identity.ListUsers, request, "users")]
    rows = [
        (
            names.short(user.name),
            enum_word(access_pb2.Role, user.role).lower(),
            user.display_name,
            "disabled" if user.disabled else "",
            enum_word(identity_pb2.PasswordState, user.password_state).lower().replace("_", "-"),
            local_time(user.create_time),
        )
        for user in found
    ]
    session.out.answer(
        {"users": [message_json(user) for user in found]},
        table("USER", "ROLE", "NAME", "", "PASSWORD", "CREATED", rows=rows),
    )


@click.group(short_help="Create, list and revoke tokens.")
def tokens() -> None:
    """Create, list and revoke tokens: what machines and people show the services."""


@tokens.command("create", short_help="Create a token.")
@click.argument("user")
@role_option
@click.option("--description", default="", help="What it is for.")
@click.option("--days", default=90, show_default=True, type=click.IntRange(1, 3650), help="Until it expires.")
@remote
async def create_token(session: Session, user: str, role: str, description: str, days: int) -> None:
    """Create a token of a user. Its secret is shown once, here, and kept nowhere.

    \b
    Example:
      export LOUPE_TOKEN=$(loupe tokens create mes-line-3 --role engineer --json | jq -r .secret)
    """
    wanted = identity_pb2.Token(description=description, role=access_pb2.Role.Value(f"ROLE_{role.upper()}"))
    wanted.expire_time.FromDatetime(datetime.now(UTC) + timedelta(days=days))
    made = await session.client.identity.CreateToken(
        # With a request id, a repeated call returns the same token: a lost answer leaves no second one.
        identity_service_pb2.CreateTokenRequest(
            parent=names.resource("users", user), token=wanted, request_id=uuid.uuid4().hex
        )
    )
    session.out.answer(
        message_json(made),
        facts({"token": made.name, "expires": local_time(made.expire_time), "secret": made.secret}),
    )
    session.out.hint("the secret is not shown again; use it as LOUPE_TOKEN, or as `authorization: Bearer …`")


@tokens.command("list", short_help="List a user's tokens.")
@click.argument("user")
@remote
async def list_tokens(session: Session, user: str) -> None:
    """List a user's tokens, without their secrets."""
    request = identity_service_pb2.ListTokensRequest(parent=names.resource("users", user), page_size=500)
    found = [item async for item in pages(session.client.identity.ListTokens, request, "tokens")]
    rows = [
        (
            token.name,
            enum_word(access_pb2.Role, token.role).lower(),
            token.description,
            "revoked" if token.revoked else "",
            local_time(token.create_time),
            local_time(token.expire_time),
        )
        for token in found
    ]
    session.out.answer(
        {"tokens": [message_json(token) for token in found]},
        table("TOKEN", "ROLE", "DESCRIPTION", "", "CREATED", "EXPIRES", rows=rows),
    )


@tokens.command("revoke", short_help="Revoke a token.")
@click.argument("token", metavar="users/USER/tokens/TOKEN")
@remote
async def revoke_token(session: Session, token: str) -> None:
    """Revoke a token; every service refuses it within 10 seconds."""
    revoked = await session.client.identity.RevokeToken(identity_service_pb2.RevokeTokenRequest(name=token))
    session.out.answer(message_json(revoked), f"revoked {revoked.name}")
