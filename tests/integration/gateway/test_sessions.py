"""People log in over HTTP: a real gateway before a real registry (A1, A3)."""

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from loupe.rpc.channel import connect
from loupe.settings import load

from gateway.app import MAX_BODY_BYTES, create_app
from gateway.backends import Backends
from gateway.events import StreamLimits, Streams
from gateway.server import HttpServer
from gateway.settings import HttpSettings
from services.kit.database import Database
from services.kit.lifecycle import Process
from services.registry.__main__ import SCHEMA, serve
from services.registry.settings import Settings
from services.registry.storage.identity import Passwords
from tests.support.waiting import DEADLINE_S

CONSOLE = {"X-Loupe-Client": "console"}
OWN = "correct horse battery"
PROXY, STRANGER = "127.0.0.2", "127.0.0.3"
STRANGERS = 48


@dataclass
class Front:
    """A gateway, the registry's database behind it, and an administrator's header."""

    url: str
    database: Database
    admin: dict[str, str]

    def browser(self, address: str = "127.0.0.1") -> httpx.AsyncClient:
        """With its own cookies, as the console calls."""
        transport = httpx.AsyncHTTPTransport(local_address=address)
        return httpx.AsyncClient(base_url=self.url, timeout=DEADLINE_S, headers=CONSOLE, transport=transport)

    async def sql(self, statement: str, **values: object) -> None:
        """As the registry's own role."""
        async with self.database.sessions.begin() as session:
            await session.execute(sa.text(statement), values)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def front(module_service_environment: dict[str, str]) -> AsyncIterator[Front]:
    # As slow as a guesser finds it would be slow for every test.
    async with fronted({**module_service_environment, "LOUPE_PASSWORD_MEMORY_KIB": "1024"}) as made:
        yield made


@contextlib.asynccontextmanager
async def fronted(settings: dict[str, str]) -> AsyncIterator[Front]:
    """A registry with these settings, and a gateway whose word on its callers it takes."""
    environment = {**settings, "LOUPE_LISTEN": "127.0.0.1:0", "LOUPE_TRUSTED_PROXIES": "127.0.0.1"}
    process = Process()
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def main(process: Process) -> None:
        port.set_result((await serve(process, load(Settings, environment))).port)

    living = asyncio.create_task(process.live(main))
    await asyncio.wait({living, port}, return_when=asyncio.FIRST_COMPLETED)
    if living.done():
        living.result()
    async with contextlib.AsyncExitStack() as stack:
        names = ("registry", "scheduler", "evaluator")
        channels = {
            name: await stack.enter_async_context(connect(f"127.0.0.1:{port.result()}")) for name in names
        }
        streams = Streams(StreamLimits())
        app = create_app(Backends(channels, 30.0), streams)
        trusted = HttpSettings(trusted_proxies=(PROXY,))
        server = HttpServer(app, streams, "127.0.0.1:0", http=trusted)
        await stack.enter_async_context(server)
        database = Database(environment["LOUPE_DATABASE_URL"], SCHEMA)
        yield Front(
            f"http://127.0.0.1:{server.port}",
            database,
            {"Authorization": f"Bearer {environment['LOUPE_BOOTSTRAP_ADMIN_TOKEN']}"},
        )
        await database.dispose()
    process.stop()
    assert await living == 0


async def person(front: Front, role: str = "ROLE_ENGINEER") -> tuple[str, str]:
    """A new user and the one-time password that an administrator gave."""
    user = f"u-{secrets.token_hex(4)}"
    async with front.browser() as http:
        made = await http.post(f"/v1/users?userId={user}", json={"role": role}, headers=front.admin)
        assert made.status_code == 200, made.text
        given = await http.post(f"/v1/users/{user}:resetPassword", headers=front.admin)
    return user, given.json()["oneTimePassword"]


async def log_in(http: httpx.AsyncClient, user: str, password: str, new: str = "") -> httpx.Response:
    body = {"userId": user, "password": password} | ({"newPassword": new} if new else {})
    return await http.post("/v1/session", json=body)


async def somebody(front: Front, http: httpx.AsyncClient) -> str:
    """A person who is logged in, in that browser."""
    user, given = await person(front)
    assert (await log_in(http, user, given, OWN)).status_code == 200
    return user


async def test_a1_a_one_time_password_only_chooses_an_own_one(front: Front) -> None:
    """What an administrator has seen must not stay a way in."""
    user, given = await person(front)
    async with front.browser() as http:
        first = await log_in(http, user, given)
        assert (first.status_code, first.json()["reason"]) == (400, "PASSWORD_CHANGE_REQUIRED")
        assert "set-cookie" not in first.headers
        weak = await log_in(http, user, given, "12345")
        assert weak.json()["violations"][0]["field"] == "new_password"
        assert (await log_in(http, user, given, OWN)).status_code == 200
        me = (await http.get("/v1/whoami")).json()
        assert (me["name"], me["role"]) == (f"users/{user}", "ROLE_ENGINEER")
        assert (await log_in(http, user, given, OWN + "!")).json()["reason"] == "WRONG_CREDENTIALS"
        assert (await log_in(http, user, OWN)).status_code == 200


async def test_a1_the_cookie_is_out_of_the_reach_of_scripts_and_other_sites(front: Front) -> None:
    """And its secret is in no body, which a script could read."""
    user, given = await person(front)
    async with front.browser() as http:
        answer = await log_in(http, user, given, OWN)
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        assert http.cookies["loupe_session"] not in answer.text
    for address, secure in ((PROXY, True), (STRANGER, False)):
        async with front.browser(address) as http:
            http.headers.update({"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.9.8.7"})
            behind_tls = await log_in(http, user, OWN)
            assert ("Secure" in behind_tls.headers["set-cookie"].split("; ")) is secure
            own = behind_tls.headers["set-cookie"].partition(";")[0]
            assert own.startswith("__Host-loupe_session=") is secure
    async with front.browser(PROXY) as http:
        own = (await log_in(http, user, OWN)).headers["set-cookie"].partition(";")[0]
        http.headers["X-Forwarded-Proto"] = "https"
        http.cookies.clear()
        secured = (await log_in(http, user, OWN)).headers["set-cookie"].partition(";")[0]
        http.cookies.clear()
        assert (await http.get("/v1/whoami", headers={"Cookie": secured})).status_code == 200
        refused = await http.get("/v1/whoami", headers={"Cookie": own})
        assert refused.json()["reason"] == "TOKEN_MISSING"


async def test_a1_a_request_with_two_sessions_is_refused(front: Front) -> None:
    """One was set by another page of the host: whose work would this be? The log-in says what to do."""
    async with front.browser() as http:
        user = await somebody(front, http)
        own = f"loupe_session={http.cookies['loupe_session']}"
    async with front.browser() as http:
        for sent in ([("Cookie", f"loupe_session=planted; {own}")], [("Cookie", own), ("Cookie", own)]):
            refused = await http.get("/v1/whoami", headers=sent)
            assert (refused.status_code, refused.json()["reason"]) == (401, "TWO_SESSIONS")
            again = await http.post(
                "/v1/session", json={"userId": user, "password": OWN}, headers=[*CONSOLE.items(), *sent]
            )
            assert (again.status_code, again.json()["reason"]) == (401, "TWO_SESSIONS")


async def test_a5_a_flood_of_guesses_from_one_address_shuts_out_nobody_elsewhere(
    module_service_environment: dict[str, str],
) -> None:
    """Theirs is the queue that is full; before, it was everybody's."""
    outcomes: Counter[int] = Counter()
    flood = asyncio.Event()

    async def guess(front: Front) -> None:
        async with front.browser(STRANGER) as http:
            while True:
                answer = await log_in(http, f"nobody-{secrets.token_hex(8)}", "wrong password")
                outcomes[answer.status_code] += 1
                if outcomes[429]:
                    assert int(answer.headers.get("retry-after", "1")) > 0
                    flood.set()

    slow = {**module_service_environment, "LOUPE_PASSWORD_MEMORY_KIB": "16384"}
    async with asyncio.timeout(2 * DEADLINE_S), fronted(slow) as front, front.browser() as http:
        user, given = await person(front)
        assert (await log_in(http, user, given, OWN)).status_code == 200
        guessing = [asyncio.create_task(guess(front)) for _ in range(STRANGERS)]
        await flood.wait()
        for _ in range(10):
            assert (await log_in(http, user, OWN)).status_code == 200
        for task in guessing:
            task.cancel()
        ended = await asyncio.gather(*guessing, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended)
    assert outcomes[401]


async def test_a1_an_unknown_user_and_a_wrong_password_are_one_answer(front: Front) -> None:
    """Even when they are locked out; else names could be collected."""
    user, _ = await person(front)
    answers = []
    async with front.browser() as http:
        for name in (user, f"nobody-{secrets.token_hex(4)}"):
            told = [await log_in(http, name, "wrong password") for _ in range(6)]
            answers.append([(answer.status_code, answer.json()["reason"]) for answer in told])
            assert 1 <= int(told[-1].headers["retry-after"]) <= 31
    assert answers[0] == answers[1] == [(401, "WRONG_CREDENTIALS")] * 5 + [(429, "LOCKED_OUT")]


async def test_a1_a_locked_name_is_refused_even_the_right_password(front: Front) -> None:
    """Until the time is over, or an administrator gives a new one."""
    user, given = await person(front)
    async with front.browser() as http:
        for _ in range(5):
            await log_in(http, user, "wrong password")
        assert (await log_in(http, user, given, OWN)).status_code == 429
        await front.sql("UPDATE log_in_attempts SET locked_until = now() WHERE user_id = :user", user=user)
        assert (await log_in(http, user, given, OWN)).status_code == 200
        for _ in range(5):
            await log_in(http, user, "wrong password")
        reset = await http.post(f"/v1/users/{user}:resetPassword", headers=front.admin)
        again = await log_in(http, user, reset.json()["oneTimePassword"], OWN + "2")
        assert again.status_code == 200


async def test_a1_guesses_sent_at_once_are_counted_one_by_one(front: Front) -> None:
    """Twenty parallel guesses must not all be made before the first has failed."""
    user, _ = await person(front)
    async with front.browser() as http:
        answers = await asyncio.gather(*(log_in(http, user, f"guess number {n}") for n in range(20)))
    reasons = Counter(answer.json()["reason"] for answer in answers)
    assert reasons == {"WRONG_CREDENTIALS": 5, "LOCKED_OUT": 15}


async def test_a1_a_guess_is_counted_while_another_log_in_succeeds(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A success forgets the failures of the name, at any moment; the guess beside it must not fail."""
    user, _ = await person(front)
    async with front.browser() as http:
        await log_in(http, user, "wrong password")
    async with front.database.sessions.begin() as session:
        execute, statements = session.execute, 0

        async def beside_a_success(statement: sa.Executable) -> object:
            nonlocal statements
            if statements:
                await front.sql("DELETE FROM log_in_attempts WHERE user_id = :user", user=user)
            statements += 1
            return await execute(statement)

        monkeypatch.setattr(session, "execute", beside_a_success)
        held = await Passwords(session).hold_attempts(user, datetime.now(UTC))
    assert (held.user, held.failures) == (user, 1)


async def test_a1_a_session_ends_by_logging_out_expiring_or_being_revoked(front: Front) -> None:
    """And is then worth nothing, whoever kept the cookie."""
    async with front.browser() as http:
        user = await somebody(front, http)
        stolen = {"Cookie": f"loupe_session={http.cookies['loupe_session']}"}
        out = await http.delete("/v1/session")
        assert out.status_code == 200
        assert "loupe_session" not in http.cookies
        assert (await http.get("/v1/whoami", headers=stolen)).json()["reason"] == "TOKEN_REVOKED"

        await log_in(http, user, OWN)
        await front.sql("UPDATE tokens SET expire_time = now() WHERE user_id = :user AND session", user=user)
        assert (await http.get("/v1/whoami")).json()["reason"] == "TOKEN_EXPIRED"

        await log_in(http, user, OWN)
        token = (await http.get("/v1/whoami")).json()["token"]
        listed = (await http.get(f"/v1/users/{user}/tokens", headers=front.admin)).json()["tokens"]
        assert [item["session"] for item in listed] == [True] * 3
        assert (await http.post(f"/v1/{token}:revoke", headers=front.admin)).status_code == 200
        assert (await http.get("/v1/whoami")).json()["reason"] == "TOKEN_REVOKED"


async def test_a1_a_new_password_and_a_disabled_user_end_the_other_sessions(front: Front) -> None:
    """Whoever changes a password because it leaked wants the thief out."""
    async with front.browser() as here, front.browser() as there:
        user = await somebody(front, here)
        assert (await log_in(there, user, OWN)).status_code == 200
        wrong = {"password": "not the old one", "newPassword": OWN + "2"}
        refused = await here.post("/v1/session:changePassword", json=wrong)
        assert [fault["reason"] for fault in refused.json()["violations"]] == ["WRONG_PASSWORD"]
        right = {"password": OWN, "newPassword": OWN + "2"}
        assert (await here.post("/v1/session:changePassword", json=right)).status_code == 200
        assert (await here.get("/v1/whoami")).status_code == 200
        assert (await there.get("/v1/whoami")).json()["reason"] == "TOKEN_REVOKED"
        changed = await here.patch(
            f"/v1/users/{user}?updateMask=disabled", json={"disabled": True}, headers=front.admin
        )
        assert (changed.json()["disabled"], changed.json()["role"]) == (True, "ROLE_ENGINEER")
        assert (await here.get("/v1/whoami")).status_code == 401
        assert (await log_in(here, user, OWN + "2")).json()["reason"] == "USER_DISABLED"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (CONSOLE, 200),
        ({}, 403),
        (CONSOLE | {"Origin": "http://evil.example"}, 403),
        (CONSOLE | {"Origin": "null"}, 403),
    ],
)
async def test_a1_another_site_cannot_act_in_the_name_of_who_is_logged_in(
    front: Front, headers: dict[str, str], status: int
) -> None:
    """CSRF: a cookie alone changes nothing; nor logs anybody in as somebody else."""
    async with front.browser() as http:
        await somebody(front, http)
        cookie = {"Cookie": f"loupe_session={http.cookies['loupe_session']}"}
    async with httpx.AsyncClient(base_url=front.url, timeout=DEADLINE_S) as http:
        made = await http.post(
            f"/v1/datasets?datasetId=d-{secrets.token_hex(4)}", json={}, headers=cookie | headers
        )
        assert made.status_code == status, made.text
        entered = await http.post(
            "/v1/session", json={"userId": "nobody", "password": "x" * 12}, headers=headers
        )
        assert entered.status_code == (401 if status == 200 else 403)


async def test_a1_a_password_longer_than_any_body_is_not_read(front: Front) -> None:
    """A hash of a megabyte would be a cheap way to keep two cores busy."""
    async with front.browser() as http:
        assert (await log_in(http, "admin", "x" * (MAX_BODY_BYTES + 1))).status_code == 413
        assert (await log_in(http, "admin", "x" * 100_000)).json()["reason"] == "WRONG_CREDENTIALS"


async def test_a3_log_ins_failures_and_refusals_are_in_the_audit_log(front: Front) -> None:
    """Who, from where, with what result; and never with what password."""
    async with front.browser() as http:
        user = await somebody(front, http)
        await log_in(http, user, "a wrong password")
        assert (await http.get("/v1/users")).status_code == 403
        await http.delete("/v1/session")
        entries = (await http.get("/v1/auditEntries?pageSize=200", headers=front.admin)).json()["entries"]
    about = [
        (entry["action"].rpartition("/")[2], entry.get("principal", ""), entry["result"])
        for entry in reversed(entries)
        if user in (entry.get("principal", "") + entry.get("resource", ""))
    ]
    assert about == [
        ("CreateUser", "users/admin", "OK"),
        ("ResetPassword", "users/admin", "OK"),
        ("LogIn", f"users/{user}", "OK"),
        ("LogIn", "", "UNAUTHENTICATED"),
        ("ListUsers", f"users/{user}", "PERMISSION_DENIED"),
        ("LogOut", f"users/{user}", "OK"),
    ]
    assert all(" for 1" in entry["peer"] for entry in entries)
    assert "password" not in str(entries).lower().replace("resetpassword", "").replace("changepassword", "")


async def test_a1_passwords_are_kept_as_argon2id(front: Front) -> None:
    """Whoever reads the database learns no password, and guesses slowly."""
    user, given = await person(front)
    async with front.database.sessions.begin() as session:
        query = sa.text("SELECT hash, one_time FROM passwords WHERE user_id = :user")
        row = (await session.execute(query, {"user": user})).one()
    assert row.hash.startswith("$argon2id$v=19$m=1024,t=3,p=4$")
    assert row.one_time
    assert given not in row.hash
