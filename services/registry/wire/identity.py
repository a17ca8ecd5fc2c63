"""Users, tokens, principals and audit entries as messages."""

from datetime import datetime

from loupe.access.v1 import access_pb2
from loupe.registry.v1 import identity_pb2 as pb
from loupe.registry.v1 import identity_service_pb2 as rpc

from services.kit.auth import Principal, Role
from services.registry.domain.identity import AuditEntry, PresentedToken, Token, User, UserRole
from services.registry.wire import names
from services.registry.wire.values import timestamp, with_etag


def role_in(number: int) -> UserRole | None:
    """The role; None if it cannot be given to a user."""
    try:
        return UserRole(number)
    except ValueError:
        return None


def user_in(user_id: str, message: pb.User) -> User:
    """What a request describes."""
    return User(user_id, role_in(message.role), message.display_name, message.disabled)


def user_out(value: User) -> pb.User:
    """As a message."""
    return with_etag(
        pb.User(
            name=names.USER.make(value.id),
            role=_role(value.role),
            display_name=value.display_name,
            disabled=value.disabled,
            create_time=timestamp(value.create_time),
            password_state=pb.PasswordState.ValueType(value.password),
        )
    )


def session_out(value: Token, presented: PresentedToken) -> rpc.LogInResponse:
    """As the answer to a log-in, with the secret."""
    principal = Principal(names.USER.make(value.user), Role(value.role), value.id)
    return rpc.LogInResponse(principal=principal_out(principal, value.expire_time), secret=str(presented))


def token_out(value: Token, presented: PresentedToken | None = None) -> pb.Token:
    """As a message; with its secret only where it has just been made."""
    return pb.Token(
        name=names.TOKEN.make(value.user, value.id),
        description=value.description,
        role=_role(value.role),
        create_time=timestamp(value.create_time),
        expire_time=timestamp(value.expire_time),
        revoked=value.revoked,
        secret="" if presented is None else str(presented),
        session=value.session,
    )


def principal_out(principal: Principal, expire_time: datetime | None) -> pb.Principal:
    """As a message."""
    user = None if principal.role.of_process else names.parse_one(names.USER, principal.name)
    return pb.Principal(
        name=principal.name,
        role=access_pb2.Role.ValueType(principal.role),
        token="" if user is None else names.TOKEN.make(user, principal.token_id),
        expire_time=timestamp(expire_time),
    )


def audit_in(message: pb.AuditEntry, reporter: str) -> AuditEntry:
    """An audit entry. Who sends it, only the token says; nobody where the registry saw the call itself."""
    return AuditEntry(
        principal=message.principal,
        action=message.action,
        resource=message.resource,
        result=message.result,
        peer=message.peer,
        reporter=reporter,
    )


def audit_out(value: AuditEntry) -> pb.AuditEntry:
    """As a message."""
    return pb.AuditEntry(
        id=value.id,
        time=timestamp(value.time),
        principal=value.principal,
        action=value.action,
        resource=value.resource,
        result=value.result,
        peer=value.peer,
        reporter=value.reporter,
    )


def _role(value: UserRole | None) -> access_pb2.Role.ValueType:
    return access_pb2.Role.ValueType(0 if value is None else int(value))
