"""Takes from this process what a decoder does not need, before it reads the bytes of strangers.

Limits of resources hold on every Linux: no new descriptor (so no file and no socket), nothing written to
files, no process, and a bound of the memory. A filter of system calls (seccomp) is put on top where the
kernel offers it: it also ends what root could undo. The parent limits the processor time.
"""

import ctypes
import os
import platform
import resource
import struct
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
# BPF: load a word; jump if equal; jump if not less; return.
LOAD, IF_EQUAL, IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER_AT, ARCHITECTURE_AT = 0, 4
ALLOW, REFUSE_WITH_EPERM = 0x7FFF0000, 0x00050001
FOREIGN_NUMBERS = 0x40000000
"""On x86-64, the calls of the x32 ABI begin here."""
_X86_64, _AARCH64 = 0xC000003E, 0xC00000B7
_CALLS = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "exit": (60, 93),
    "gettimeofday": (96, 169),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "getrandom": (318, 278),
}
"""What remains allowed, with its numbers on x86-64 and 64-bit ARM: memory, time, and open descriptors."""
MACHINES = {"x86_64": (_X86_64, 0), "aarch64": (_AARCH64, 1)}
_REHEARSED = 0

_libc = ctypes.CDLL(None, use_errno=True)


def confine(memory_bytes: int, rehearse: Callable[[], None]) -> bool:
    """Confine this process for good; whether its system calls are filtered too.

    `rehearse` does each kind of work once. It runs before, so that all modules are loaded, and then in a
    confined copy of this process: a kernel or C library under which the work needs more calls than are
    allowed must not make every file of every user unreadable. RuntimeError if the limits alone are too tight.
    """
    rehearse()
    filtered = succeeds(lambda: _confine(memory_bytes, with_filter=True), rehearse)
    if not filtered and not succeeds(lambda: _confine(memory_bytes, with_filter=False), rehearse):
        raise RuntimeError(f"{memory_bytes:,} bytes of memory are too few to work with")
    _confine(memory_bytes, with_filter=filtered)
    return filtered


def succeeds(*steps: Callable[[], object]) -> bool:
    """Whether a copy of this process can do all this."""
    copy = os.fork()
    if copy == 0:
        code = 1
        try:
            for step in steps:
                step()
            code = _REHEARSED
        except BaseException:  # noqa: BLE001 -- the parent hears it as the exit code
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(copy, 0)
    return os.waitstatus_to_exitcode(status) == _REHEARSED


def _confine(memory_bytes: int, *, with_filter: bool) -> None:
    own_bytes = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = {
        resource.RLIMIT_AS: own_bytes + memory_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_NOFILE: 0,
    }
    program = _filter() if with_filter else b""
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))
    if with_filter:
        install(program)


def _filter() -> bytes:
    """A BPF program that refuses, as not permitted, every call that is not in the list; OSError."""
    if platform.machine() not in MACHINES:
        raise OSError(f"no list of system calls for {platform.machine()}")
    architecture, column = MACHINES[platform.machine()]
    numbers = [numbers[column] for numbers in _CALLS.values()]
    refuse = len(numbers) + 1  # how far ahead the last two instructions are
    program = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (IF_EQUAL, 0, refuse + 1, architecture),
        (LOAD, 0, 0, NUMBER_AT),
        (IF_AT_LEAST, refuse - 1, 0, FOREIGN_NUMBERS),
        *((IF_EQUAL, len(numbers) - index, 0, number) for index, number in enumerate(numbers)),
        (RETURN, 0, 0, REFUSE_WITH_EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def install(program: bytes) -> None:
    """Put a filter of system calls on this process for good; OSError."""
    filter_ = _Program(len(program) // 8, program)
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or _libc.prctl(
        _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0
    ):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
