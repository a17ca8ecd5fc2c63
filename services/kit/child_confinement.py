"""Takes from a child process that runs PyTorch, or a compiler, what its work does not need.

    python -P -m services.kit.child_confinement MODULE [ARGUMENT …]

Runs the module confined as the policy in LOUPE_CONFINEMENT says. What it may read and write is a list of
folders (Landlock); it opens no connection (a filter of system calls, seccomp); it sees and signals no process
but its own (Landlock); it gains no rights (no_new_privs), and loses those of root but for files. Each measure
holds alone: where a kernel lacks one, the others are taken. `measures` says which ones this kernel has.
"""

import contextlib
import ctypes
import json
import os
import platform
import resource
import runpy
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from services.kit.confinement import (
    ALLOW,
    ARCHITECTURE_AT,
    FOREIGN_NUMBERS,
    IF_AT_LEAST,
    IF_EQUAL,
    LOAD,
    MACHINES,
    NUMBER_AT,
    REFUSE_WITH_EPERM,
    RETURN,
    install,
    succeeds,
)

POLICY = "LOUPE_CONFINEMENT"
"""The environment variable with a policy, as JSON."""

FILES, NETWORK, PROCESSES = "files", "network", "processes"
"""What a child is kept from: the installation's files, servers, and other processes."""
MEASURES = frozenset({FILES, NETWORK, PROCESSES})

_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/opt", "/nix/store", "/proc", "/sys")
_SETTINGS = (
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "alternatives", "localtime", "timezone"),
    *("nsswitch.conf", "passwd", "group", "os-release", "OpenCL", "nvidia"),
)
"""Below /etc, where other files may hold passwords of services."""
_DEVICES = ("null", "zero", "full", "random", "urandom")
_ACCELERATORS = ("nvidia*", "dri", "kfd", "dxg")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 -- where processes of one training share memory


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a child may reach."""

    reads: tuple[str, ...]
    """Folders and files that it may read and execute, beside those of the system."""
    writes: tuple[str, ...]
    """Folders in which it may also make, change and remove files."""
    hidden: str
    """A folder of the installation: what lies beside it stays hidden, even where it lies below `reads`."""
    group: bool = False
    """Whether it starts processes that talk to each other over TCP of this machine, and share memory."""

    def environ(self) -> dict[str, str]:
        """As `main` reads it."""
        return {POLICY: json.dumps(asdict(self))}

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Policy":
        """The policy in an environment."""
        told = json.loads(environ[POLICY])
        return cls(**{**told, "reads": tuple(told["reads"]), "writes": tuple(told["writes"])})


def measures() -> frozenset[str]:
    """What this kernel can take from a child."""
    abi = _abi()
    filters = succeeds(_try_filter)
    # Without the filter a connection could be made past TCP, and a system call read another process.
    return frozenset(
        name
        for name, holds in (
            (FILES, abi >= 1),
            (NETWORK, filters),
            (PROCESSES, filters and abi >= _SCOPES_ABI),
        )
        if holds
    )


def _try_filter() -> None:
    try:
        install(_filter(group=False))
    except OSError:
        os._exit(1)  # it is no failure of the copy, which would tell of it


def confine(policy: Policy) -> None:
    """Confine this process, and all that it starts, for good. It must have one thread."""
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        _drop_capabilities()
    with contextlib.suppress(OSError):
        _restrict(policy)
    with contextlib.suppress(OSError):
        install(_filter(group=policy.group))


def hide() -> None:
    """Close this process's memory and environment to others of its user; root sees them all the same."""
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


# Landlock: linux/landlock.h. The same numbers on all architectures.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH, _RULE_NET_PORT = 1, 2
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_FILE = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_ALL_OF_ABI_1 = (1 << 13) - 1
_REFER_ABI, _TRUNCATE_ABI, _TCP_ABI, _SCOPES_ABI = 2, 3, 4, 6
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_SCOPES = 0b11  # abstract UNIX sockets, signals
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_READS = _READ_FILE | _READ_DIR | _EXECUTE
# No links: the worker stores files that its child names. No devices, sockets or pipes.
_WRITES = _READ_FILE | _READ_DIR | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_FILE
_WRITES |= _REFER | _TRUNCATE

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 4, 38, 24
_CAPABILITIES_V3 = 0x20080522
_KEPT_CAPABILITIES = (1 << 1) | (1 << 3)  # reading and changing files of others: Landlock bounds them


def _abi() -> int:
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))))


def _restrict(policy: Policy) -> None:
    abi = _abi()
    if abi == 0:
        return
    handled = (
        _ALL_OF_ABI_1 | (_REFER if abi >= _REFER_ABI else 0) | (_TRUNCATE if abi >= _TRUNCATE_ABI else 0)
    )
    tcp = _BIND_TCP | _CONNECT_TCP if abi >= _TCP_ABI else 0
    scopes = _SCOPES if abi >= _SCOPES_ABI else 0
    attributes = struct.pack("=QQQ", handled, tcp, scopes)[: 24 if scopes else 16 if tcp else 8]
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    try:
        for path, rights in _paths(policy):
            _allow(ruleset, path, rights & handled)
        if tcp and policy.group:
            for port in _ports_of_no_server():
                rule = struct.pack("=QQ", _BIND_TCP if port == 0 else _CONNECT_TCP, port)
                _checked(_libc.syscall(_ADD_RULE, ruleset, _RULE_NET_PORT, rule, 0))
        _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # it is not there
    try:
        if not path.is_dir():
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        _checked(_libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _paths(policy: Policy) -> Iterator[tuple[Path, int]]:
    hidden = Path(policy.hidden).resolve()
    etc = Path("/etc")
    for name in (*_SYSTEM, *(str(etc / name) for name in _SETTINGS), *policy.reads):
        yield from _beside(Path(name).resolve(), hidden)
    for name in policy.writes:
        yield Path(name).resolve(), _WRITES
    devices = Path("/dev")
    for device in (*_DEVICES, *(found.name for kind in _ACCELERATORS for found in devices.glob(kind))):
        yield devices / device, _READ_FILE | _WRITE_FILE | _READ_DIR
    if policy.group:
        yield Path(_SHARED_MEMORY), _WRITES


def _beside(path: Path, hidden: Path) -> Iterator[tuple[Path, int]]:
    """The path; of a folder that holds the hidden one its names and all else that is in it."""
    if not hidden.is_relative_to(path):
        yield path, _READS
    elif path != hidden:
        yield path, _READ_DIR
        with contextlib.suppress(OSError):
            yield from ((child, _READS) for child in path.iterdir() if not hidden.is_relative_to(child))


def _ports_of_no_server() -> Iterable[int]:
    """Those that the kernel gives to whoever asks for none: no server that was given an address has one."""
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    return 0, *range(first, last + 1)


def _drop_capabilities() -> None:
    for capability in range(64):
        if not _KEPT_CAPABILITIES >> capability & 1:
            _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = struct.pack("=Ii", _CAPABILITIES_V3, 0)
    held = (ctypes.c_uint32 * 6)()
    _checked(_libc.capget(header, held))
    for word in range(6):
        # Effective, permitted and inheritable, 32 of each; then the others of each.
        held[word] &= _KEPT_CAPABILITIES if word in {0, 1} else 0
    _checked(_libc.capset(header, held))


# Numbers on x86-64 and 64-bit ARM; -1 where there is none.
_CONNECTING = {
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
}
_REFUSED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "io_uring_setup": (425, 425),  # its operations are no system calls, so no filter sees them
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "quotactl": (179, 60),
    "acct": (163, 89),
    "syslog": (103, 116),
    "iopl": (172, -1),
    "ioperm": (173, -1),
}
_SOCKET, _SOCKETPAIR, _CLONE, _CLONE3 = (41, 198), (53, 199), (56, 220), (435, 435)
_ENOSYS = 0x00050026
"""For clone3, whose flags a filter cannot see: libraries then call clone."""
_IF_ANY_BIT, _AND = 0x45, 0x54
_ARGUMENTS_AT = 16
_NAMESPACES = 0x7E020000
_AF_INET, _AF_INET6, _AF_NETLINK, _SOCK_STREAM, _TYPE_MASK = 2, 10, 16, 1, 0xF

_Instruction = tuple[int, int, int, int]


def _filter(*, group: bool) -> bytes:
    """A BPF program that refuses what is in the lists above; OSError."""
    if platform.machine() not in MACHINES:
        raise OSError(f"no list of system calls for {platform.machine()}")
    architecture, column = MACHINES[platform.machine()]

    def on(numbers: tuple[int, int], *then: _Instruction) -> list[_Instruction]:
        """These instructions, of which one returns, for a call; the number is loaded, and stays so if not."""
        return [(IF_EQUAL, 0, len(then), numbers[column]), *then]

    refuse, allow = (RETURN, 0, 0, REFUSE_WITH_EPERM), (RETURN, 0, 0, ALLOW)
    argument = [(LOAD, 0, 0, _ARGUMENTS_AT + 8 * place) for place in range(2)]
    is_stream = [argument[1], (_AND, 0, 0, _TYPE_MASK), (IF_EQUAL, 0, 1, _SOCK_STREAM), allow, refuse]
    refused = dict(_REFUSED) if group else {**_REFUSED, **_CONNECTING}
    if group:
        sockets = [
            argument[0],
            *((IF_EQUAL, 0, 1, _AF_NETLINK), allow),  # asks for the addresses of this machine
            *((IF_EQUAL, 1, 0, _AF_INET), (IF_EQUAL, 0, len(is_stream), _AF_INET6)),
            *is_stream,
            refuse,
        ]
    else:
        sockets = [refuse]
    program: list[_Instruction] = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        *((IF_EQUAL, 1, 0, architecture), refuse),
        (LOAD, 0, 0, NUMBER_AT),
        *((IF_AT_LEAST, 0, 1, FOREIGN_NUMBERS), refuse),
        *(step for numbers in refused.values() if numbers[column] >= 0 for step in on(numbers, refuse)),
        *on(_CLONE3, (RETURN, 0, 0, _ENOSYS)),
        *on(_CLONE, argument[0], (_IF_ANY_BIT, 0, 1, _NAMESPACES), refuse, allow),
        # A pair of datagram sockets could send to any socket that has a name.
        *on(_SOCKETPAIR, *is_stream),
        *on(_SOCKET, *sockets),
        allow,
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def main(arguments: list[str]) -> None:
    """Confine this process and run the module in it."""
    confine(Policy.of(os.environ))
    module, sys.argv[1:] = arguments[0], arguments[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
