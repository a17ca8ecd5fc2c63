"""Hostile folders, read and imported into a running registry while their files change (D2, D4, D5, D7).

An input is JSON: the entries of a folder, and what happens to them at which point of the import. Whatever
lies there, the import ends within a bounded number of calls, and every entry is told: taken, there already,
refused, or left out.
"""

import asyncio
import base64
import contextlib
import io
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Self
from unittest import mock

from loupe import folders, importing, reading, walking
from loupe.commands.data import import_json, import_summary
from loupe.folders import FolderListing, FolderUnreadable, ImportOptions
from loupe.import_report import keep_report
from loupe.importing import ImportOutcome, ImportResult, SampleImport
from loupe.reading import read_data
from loupe.registry.v1 import dataset_service_pb2, dataset_service_pb2_grpc
from loupe.rpc.channel import connect
from loupe.text import as_utf8, encodable, visible
from rich.console import Console

from tests.fuzz import annotations
from tests.fuzz.images import corpus
from tests.fuzz.mutation import changed
from tests.fuzz.servers import ADDRESSES, TOKEN
from tests.fuzz.target import Broken, Target, check_told

_MOST_CALLS = 9
"""Three for dataset and path; a batch of samples is offered three times at most, each time by two calls."""
_FOLDERS = (
    b"TPFIP", b"TPFIP", b"TTFBS", b"TTFBS", b"OK", b"", b"no code", b".hidden", b"TPFIP/deep", b"TPFIP.png",
    "缺陷".encode(), "缺陷".encode("gbk"), b"\xff",
)  # fmt: skip
_STEMS = (
    b"a", b"b", b"c", b"d", b"A", b"a b", b" ", b"-rf", b"a.mask", b"a_mask", b"b.mask", b".a", b"._a",
    b"a\nb", b"\xb2\xe2\xca\xd4", b"\xff\xfe", "é".encode(), "e\u0301".encode(), "a\u202egnp".encode(),
    b"a\x1b[31m", b"x" * 240, "测".encode() * 80, b"a\\b", b"%s", b"..a", b"$(reboot)", b"a;b", b'"',
    b"groups",
)  # fmt: skip
_SUFFIXES = (
    b".png", b".png", b".png", b".jpg", b".jpeg", b".bmp", b".tif", b".tiff", b".PNG", b".JPG", b"", b".gif",
    b".webp", b".heic", b".db", b".txt", b".csv", b".png.part", b".", b".\xff",
)  # fmt: skip
_SUFFIX_OF = {"PNG": b".png", "JPEG": b".jpg", "BMP": b".bmp", "TIFF": b".tif"}
_SIZES = (0, 1, 2, 4096, 2**20, 256 * 2**20, 256 * 2**20 + 1, 2**40)
_TARGETS = (b"nowhere", b"/etc/hostname", b".", b"..", b"/", b"../TPFIP/a.png", b"a.png", b"\xff")
"""Of links."""
_POINTS = ("listing", "listed", "read", "opened", "planned", "added")
_CHANGES = ("vanish", "grow", "shrink", "touch", "replace", "pipe", "link", "folder", "sparse")

Entry = dict[str, Any]


class Folders(Target):
    """What becomes of a folder that somebody made to break an import."""

    cpu_s = 20.0
    memory_mib = 768
    """Of the client: threads, gRPC, and pictures that are read whole."""

    def __init__(self) -> None:
        self._pictures = [(_SUFFIX_OF[kind], data) for kind, data in corpus()]
        self._annotated = [
            one.files for name, one in annotations.folders().items() if not name.startswith("picture-")
        ]
        self._loop = asyncio.new_event_loop()
        self._root = Path()

    def __enter__(self) -> Self:
        """Connect."""
        addresses = dict(pair.split("=") for pair in os.environ[ADDRESSES].split(","))
        shm = Path("/dev/shm")  # noqa: S108 -- a folder of a name of its own
        self._root = Path(tempfile.mkdtemp(prefix="loupe-fuzz-", dir=shm if shm.is_dir() else None))
        channel = self._loop.run_until_complete(_connected(addresses["registry"], os.environ[TOKEN]))
        self._stub: Any = dataset_service_pb2_grpc.DatasetServiceStub(channel)
        self._channel = channel
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect, and remove the folders."""
        self._loop.run_until_complete(self._channel.close())
        self._loop.close()
        shutil.rmtree(self._root)

    # --- inputs ---------------------------------------------------------------------------------------------

    def make(self, random: Random) -> bytes:
        """Some entries, a few of them changed at some point."""
        entries = [self._entry(random) for _ in range(random.randint(1, 24))]
        if not random.randrange(6):
            for name, data in random.choice(self._annotated).items():
                broken = changed(random, data) if not random.randrange(6) else data
                entries.append(_entry_of(name.encode(), "file", _text(broken)))
        if not random.randrange(12):
            entries.append(
                _entry_of(random.choice((b"groups.csv", b"TPFIP/Groups.CSV")), *self._table(random))
            )
        changes = [
            {
                "at": random.choice(_POINTS),
                "entry": random.randrange(len(entries)),
                "how": random.choice(_CHANGES),
            }
            for _ in range(random.choice((0, 0, 1, 2, 4)))
        ]
        bits = random.choice((0, 0, 0, 12))
        return json.dumps({"entries": entries, "changes": changes, "bits": bits}).encode()

    def _entry(self, random: Random) -> Entry:
        suffix, data = random.choice(self._pictures)
        stem = random.choice(_STEMS[:8] if random.randrange(3) else _STEMS)
        if random.randrange(2):
            return _entry_of(random.choice(_FOLDERS[:5]) + b"/" + stem + suffix, "file", _text(data))
        folder = random.choice(_FOLDERS)
        name = stem + random.choice(_SUFFIXES)
        path = folder + b"/" + name if folder else name
        match random.randrange(12):
            case 0:
                return _entry_of(path, "sparse", random.choice(_SIZES))
            case 1:
                target = random.choice(
                    (
                        b"nowhere",
                        b"/etc/hostname",
                        b".",
                        b"..",
                        b"/",
                        name,
                        b"../TPFIP/a.png",
                        b"a.png",
                        b"\xff",
                    )
                )
                return _entry_of(path, "link", target.hex())
            case 2:
                return _entry_of(path, random.choice(("pipe", "socket", "directory")), 0)
            case 3:
                return _entry_of(path, "file", _text(random.randbytes(random.randrange(64))))
        if not random.randrange(4):
            data = data[: random.randrange(len(data))]
        elif not random.randrange(4):
            data = changed(random, data)
        return _entry_of(path, "file", _text(data))

    def _table(self, random: Random) -> tuple[str, Any]:
        if not random.randrange(4):
            return "sparse", random.choice(_SIZES)
        data = b"file,group\nTPFIP/a.png,G1\nTTFBS/b.jpg,G2\n"
        return "file", _text(changed(random, data) if random.randrange(2) else data)

    # --- the import -----------------------------------------------------------------------------------------

    def run(self, data: bytes) -> str:
        """Import the folder, and again where nothing changed it."""
        plan = json.loads(data)
        folder = Path(tempfile.mkdtemp(dir=self._root))
        try:
            return self._run(folder, plan["entries"], plan["changes"], ImportOptions(bits=plan["bits"]))
        finally:
            shutil.rmtree(folder)

    def _run(self, folder: Path, entries: list[Entry], changes: list[Entry], options: ImportOptions) -> str:
        made = [place for entry in entries if (place := _make(folder, entry))]
        there = _below(folder)
        waiting = [
            (change["at"], made[change["entry"] % len(made)], change["how"]) for change in changes if made
        ]
        unsure = {_name(folder, path) for at, path, _ in waiting if at == "listing"}

        def reach(point: str, path: Path | None = None) -> None:
            for one in [one for one in waiting if one[0] == point and path in {None, one[1]}]:
                waiting.remove(one)
                _change(one[1], one[2])

        with _at_points(reach):
            try:
                listing = read_data(folder, options)
            except FolderUnreadable as error:
                check_told(visible(str(error)))
                return "refused as a whole"
            _check_found(listing, there, unsure)
            reach("read")
            result = self._import(listing, path := f"p-{secrets.token_hex(6)}", reach)
            _check_outcomes(listing, result)
            self._check_listed(result)
            if not changes:
                again = self._import(listing, path, reach)
                _check_again(result, again)
        if result.rejected:
            return "refused in part" if len(result.rejected) < len(listing.samples) else "all refused"
        return "taken" if listing.samples else "nothing to take"

    def _import(self, listing: FolderListing, path: str, reach: Callable[[str], None]) -> ImportResult:
        calls = _Calls(self._stub, reach)
        work = SampleImport(calls, lambda _: None).run(  # type: ignore[arg-type]
            listing, dataset="datasets/hostile", path=path, description=""
        )
        result: ImportResult = self._loop.run_until_complete(work)
        if (made := sum(calls.made.values())) > _MOST_CALLS:
            raise Broken(f"{made} calls for {len(listing.samples)} samples: {dict(calls.made)}")
        result = self._loop.run_until_complete(keep_report(self._stub, listing, result))
        if not result.report:
            raise Broken(f"the report is not kept: {result.report_fault}")
        report = import_json(listing, result)
        json.dumps(report).encode()
        told = io.StringIO()
        Console(file=told, width=100).print(import_summary(listing, result))
        told.getvalue().encode()
        return result

    def _check_listed(self, result: ImportResult) -> None:
        request = dataset_service_pb2.ListSamplesRequest(parent=result.data_path.name, page_size=1000)
        listed = self._loop.run_until_complete(_answer(self._stub.ListSamples(request)))
        taken = {item.file for item in result.outcomes if item.outcome != ImportOutcome.OUTCOME_REJECTED}
        if (there := {sample.file for sample in listed.samples}) != taken:
            raise Broken(f"the registry lists {there}, and {taken} were taken")


class _Calls:
    """The stub of the registry, which counts what is asked, and tells the points that are reached."""

    def __init__(self, stub: Any, reach: Callable[[str], None]) -> None:  # noqa: ANN401 -- a generated stub
        self._stub = stub
        self._reach = reach
        self.made: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- of the stub
        self.made[name] += 1
        for call, point in (("PlanSampleUploads", "planned"), ("AddSamples", "added")):
            if name == call:
                self._reach(point)
        return getattr(self._stub, name)


async def _connected(address: str, token: str) -> Any:  # noqa: ANN401 -- grpc's channel
    return connect(address, lambda: token, deadline_s=120)


async def _answer(call: Any) -> Any:  # noqa: ANN401 -- a call of a generated stub
    return await call


@contextlib.contextmanager
def _at_points(reach: Callable[..., None]) -> Iterator[None]:
    """Tell when an entry is looked at, when the folder is listed, and when a file is opened to be hashed."""
    kind, walk_folder, open_file = walking._kind, folders.walk_folder, walking.open_file

    def looked_at(path: Path, root: Path) -> Any:  # noqa: ANN401 -- as the product's
        reach("listing", path)
        return kind(path, root)

    def listed(folder: Path) -> Any:  # noqa: ANN401 -- as the product's
        walked = walk_folder(folder)
        reach("listed")
        return walked

    def opened(path: Path) -> Any:  # noqa: ANN401 -- as the product's
        file = open_file(path)
        reach("opened", path)
        return file

    with (
        mock.patch.object(walking, "_kind", looked_at),
        mock.patch.object(reading, "walk_folder", listed),
        mock.patch.object(importing, "open_file", opened),
    ):
        yield


# --- the folder ---------------------------------------------------------------------------------------------


def _entry_of(path: bytes, kind: str, content: Any) -> Entry:  # noqa: ANN401 -- by kind
    return {"path": path.hex(), "kind": kind, "content": content}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _make(folder: Path, entry: Entry) -> Path | None:
    """Make an entry; None if something of that name is there, or in its way."""
    path = folder / os.fsdecode(bytes.fromhex(entry["path"]))
    content = entry["content"]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path):
            return None
        match entry["kind"]:
            case "file":
                path.write_bytes(base64.b64decode(content))
            case "link":
                path.symlink_to(os.fsdecode(bytes.fromhex(content)))
            case "directory":
                path.mkdir()
            case "sparse":
                _write_hole(path, content)
            case kind:
                os.mknod(path, 0o600 | {"pipe": stat.S_IFIFO, "socket": stat.S_IFSOCK}[kind])
    except OSError:
        return None
    return path


def _write_hole(path: Path, size: int) -> None:
    path.touch()
    os.truncate(path, size)


def _change(path: Path, how: str) -> None:
    """Do it as somebody else on the computer would; what cannot be done is not."""
    with contextlib.suppress(OSError):
        if how == "touch":
            os.utime(path, ns=(1, 1))
        elif how in {"grow", "shrink"}:
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                os.truncate(path, status.st_size + 7 if how == "grow" else status.st_size // 2)
        else:
            _replace(path, how)


def _replace(path: Path, how: str) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
    match how:
        case "replace":
            path.write_bytes(b"other bytes")
        case "sparse":
            _write_hole(path, 2**40)
        case "folder":
            path.mkdir()
            (path / "new.png").touch()
        case "link":
            path.symlink_to(path)
        case "pipe":
            os.mkfifo(path)


def _name(folder: Path, path: Path) -> str:
    return encodable(as_utf8(str(path.relative_to(folder))))


def _below(folder: Path) -> set[str]:
    """All that is no folder, and every link, found by other means than the product's."""
    found: set[str] = set()
    for place, directories, files in os.walk(folder):
        links = [one for one in directories if Path(place, one).is_symlink()]
        found.update(_name(folder, Path(place, one)) for one in [*files, *links])
    return found


# --- what must hold -----------------------------------------------------------------------------------------


def _check_found(listing: FolderListing, there: set[str], unsure: set[str]) -> None:
    """Whatever lies in the folder is used or left out by name; `unsure` came or went while it was listed."""
    named = {item.file for item in listing.left_out if not item.is_part}
    used = {encodable(name) for name in listing.used}
    for message in [one.message for one in listing.left_out] + [one.message for one in listing.remarks]:
        check_told(visible(message))
    if both := used & named:
        raise Broken(f"{both} are used and left out")
    if listing.found != len(used) + len(named):
        raise Broken(f"{listing.found} found, {sorted(used)} used, {sorted(named)} left out")

    def is_sure(name: str) -> bool:
        return not any(name == one or name.startswith(f"{one}/") for one in unsure)

    if odd := {name for name in there ^ (used | named) if is_sure(name)}:
        raise Broken(f"{sorted(odd)} lie there and are not told, or the other way round")


def _check_outcomes(listing: FolderListing, result: ImportResult) -> None:
    """Each sample has one outcome, and what is refused or doubtful has its reason."""
    offered = Counter(sample.file for sample in listing.samples)
    told = Counter(item.file for item in result.outcomes)
    if offered != told:
        raise Broken(f"offered {offered}, told {told}")
    for item in (*result.rejected, *result.doubtful):
        if not item.reason:
            raise Broken(f"no reason: {item}")
        check_told(visible(item.message))
        check_told(visible(item.message_zh))
    if lost := {item.file for item in result.left_out} - {encodable(name) for name in listing.used}:
        raise Broken(f"{lost} are told as masks, and were not used")
    report = import_json(listing, result)
    taken = report["added"] + report["unchanged"] + report["replaced"]
    if taken + len(report["rejected"]) != len(listing.samples):
        raise Broken(f"{taken} taken and {len(report['rejected'])} refused of {len(listing.samples)}")
    if report["used"] + len({item["file"] for item in report["leftOut"]}) != listing.found:
        raise Broken(f"the counts of the report do not add up: {report}")


def _check_again(first: ImportResult, again: ImportResult) -> None:
    """What is taken is there already the second time; what is refused is refused again."""
    for before, after in zip(first.outcomes, again.outcomes, strict=True):
        is_refused = before.outcome == ImportOutcome.OUTCOME_REJECTED
        expected = before.outcome if is_refused else ImportOutcome.OUTCOME_UNCHANGED
        if (after.file, after.outcome, after.reason) != (before.file, expected, before.reason):
            raise Broken(f"at first {before}, the second time {after}")
