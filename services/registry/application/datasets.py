"""Datasets, data paths, import and snapshots (D1 to D4, D10, W4, W12)."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from loupe.errors import AlreadyExists, Internal, InvalidArgument, NotFound, Unavailable
from sqlalchemy.ext.asyncio import AsyncSession

from services.caller import Caller
from services.kit.database import DatabaseSessions, database_time
from services.kit.object_store import ObjectStore, content_key
from services.kit.orphans import ORPHAN_GRACE
from services.kit.paging import RowPage, RowPageRequest
from services.registry.application.inspection import Inspector, Wanted, incoming_key
from services.registry.application.manifest import ManifestFile
from services.registry.domain.candidates import (
    Candidate,
    CandidateOutcome,
    SamePixels,
    SampleOutcome,
    candidate_faults,
    judge,
)
from services.registry.domain.datasets import (
    CodeParts,
    DataPath,
    DataPathEmpty,
    Dataset,
    Snapshot,
    bits_faults,
    count_parts_faults,
    mask_codes_faults,
    owner_faults,
    owner_of,
    planned_faults,
)
from services.registry.domain.identifiers import id_faults, refuse, text_faults
from services.registry.domain.objects import Doubt, ImageObject, RejectedObject, Rejection, Verified
from services.registry.domain.relabelling import (
    DataPathChanged,
    Relabel,
    Relabelling,
    RelabelOutcome,
    files_touched,
    relabel_faults,
)
from services.registry.domain.samples import Sample, count_changes, names_pixels
from services.registry.domain.storage_quotas import StorageQuota
from services.registry.domain.uploads import Upload, plan
from services.registry.storage.datasets import DataPaths, Datasets, Snapshots
from services.registry.storage.identity import Identities
from services.registry.storage.samples import Alike, Listed, ObjectRows, Samples, Twin
from services.registry.storage.storage_quotas import StorageQuotas
from services.registry.storage.uploads import Uploads
from services.vision.parts import keys, parts
from services.vision.pictures import LINK_LIFE, OPAQUE, PictureStore, sample_key, type_of_file, type_of_format
from services.vision.sides import tied_codes
from services.vision.thumbnails import MAX_OBJECT_BYTES

UPLOAD_LINK_LIFE = timedelta(hours=1)
"""Of a link that writes; what arrives is kept for the grace period of orphans."""
_MAX_REMEMBERED_COUNTS = 200
_MAX_LINE_BYTES = 16_384
"""Of a manifest, up to its pixels."""
_MAX_TWINS = 10
"""Samples of this path, and of others, that an outcome names: one picture may lie in hundreds."""


class DataCatalogue:
    """Datasets, their data paths and the samples in them."""

    def __init__(self, sessions: DatabaseSessions, store: ObjectStore, inspector: Inspector) -> None:
        self._sessions = sessions
        self._store = store
        self._pictures = PictureStore(store, inspector.decoders)
        self._inspector = inspector
        # The keys are listings, as (key, revision) of their paths, and codes; the least recently used comes
        # first.
        self._counted_parts: dict[
            tuple[frozenset[tuple[int, int]], tuple[str, ...]], Mapping[str, CodeParts]
        ] = {}

    async def create_dataset(
        self, dataset: str, description: str, creator: str, *, allow_existing: bool
    ) -> Dataset:
        """Make a dataset; AlreadyExists, unless `allow_existing`."""
        refuse([*id_faults(dataset, "dataset_id"), *text_faults(description, "dataset.description")])
        async with self._sessions.begin() as session:
            datasets = Datasets(session)
            new = Dataset(dataset, creator, await database_time(session), description)
            if not await datasets.add(new) and not allow_existing:
                raise AlreadyExists(
                    f"datasets/{dataset} exists already; choose another id or set allow_existing"
                )
            return await datasets.get(dataset)

    async def dataset(self, dataset: str) -> Dataset:
        """One dataset."""
        async with self._sessions.begin() as session:
            return await Datasets(session).get(dataset)

    async def datasets(self, page: RowPageRequest) -> RowPage[Dataset]:
        """By id."""
        async with self._sessions.begin() as session:
            return await Datasets(session).listing(page)

    async def create_path(  # noqa: PLR0913 -- one a field of the request
        self,
        dataset: str,
        path: str,
        description: str,
        mask_codes: Sequence[str] = (),
        bits: int = 0,
        *,
        caller: Caller,
        allow_existing: bool,
    ) -> DataPath:
        """Make an empty data path, the caller's; AlreadyExists, unless `allow_existing`.

        What an existing one declares of its masks may be extended by its owner (D1), and its bits be set
        while it has no deep pictures (D6); MaskCodesDiffer, BitsDiffer where they cannot be.
        """
        refuse(
            [
                *id_faults(path, "data_path_id"),
                *text_faults(description, "data_path.description"),
                *mask_codes_faults(mask_codes),
                *bits_faults(bits),
            ]
        )
        async with self._sessions.begin() as session:
            await Datasets(session).get(dataset)
            paths = DataPaths(session)
            now = await database_time(session)
            new = DataPath(
                dataset,
                path,
                now,
                now,
                description,
                mask_codes=tuple(mask_codes),
                owner=owner_of(caller),
                bits=bits,
            )
            if await paths.add(new):
                return await paths.get(dataset, path)
            if not allow_existing:
                raise AlreadyExists(
                    f"datasets/{dataset}/paths/{path} exists already; choose another id or set allow_existing"
                )
            key = await paths.lock(dataset, path)
            there = await paths.get(dataset, path)
            if mask_codes and there.mask_codes != new.mask_codes:
                there.require_owner(caller)
                await paths.declare(key, there.declaring(new.mask_codes).mask_codes, now)
                there = await paths.get(dataset, path)
            if bits and there.bits != bits:
                there.require_owner(caller)
                there = there.with_bits(bits, has_deep=await Samples(session).has_deep(key))
                await paths.set_bits(key, bits)
            return there

    async def path(self, dataset: str, path: str) -> DataPath:
        """One data path."""
        async with self._sessions.begin() as session:
            return await DataPaths(session).get(dataset, path)

    async def paths(
        self, dataset: str | None, page: RowPageRequest, *, trainable: bool = False
    ) -> RowPage[DataPath]:
        """By dataset and id; of all datasets if None. `trainable`: without those of question banks (P7)."""
        async with self._sessions.begin() as session:
            if dataset is not None:
                await Datasets(session).get(dataset)
            return await DataPaths(session).listing(dataset, page, trainable=trainable)

    async def set_owner(self, dataset: str, path: str, owner: str | None, caller: Caller) -> DataPath:
        """Hand the path over to a user, or share it with every engineer (A4)."""
        async with self._sessions.begin() as session:
            paths = DataPaths(session)
            key = await _lock_own(paths, dataset, path, caller)
            if owner is not None:
                refuse(owner_faults(await Identities(session).get_user(owner)))
            await paths.set_owner(key, "" if owner is None else f"users/{owner}")
            return await paths.get(dataset, path)

    async def samples(
        self, dataset: str, path: str, page: RowPageRequest, *, code: str | None
    ) -> RowPage[Sample]:
        """By file."""
        async with self._sessions.begin() as session:
            key = await DataPaths(session).key(dataset, path)
            return await Samples(session).listing(key, page, code=code)

    async def count_parts(self, paths: Sequence[tuple[str, str]], codes: Sequence[str]) -> list[CodeParts]:
        """How many parts the samples of each code make over all these paths together (D3, D9)."""
        refuse(count_parts_faults(paths, codes))
        async with self._sessions.begin() as session:
            revisions = frozenset([await DataPaths(session).revision(*path) for path in paths])
        listing = (revisions, tuple(dict.fromkeys(codes)))
        # The wizard calls this after every answer, and a million samples take seconds.
        counted = self._counted_parts.pop(listing, None)
        if counted is None:
            async with self._sessions.begin() as session:
                rows = await Samples(session).alike([key for key, _ in revisions], codes)
            counted = await asyncio.to_thread(_parts_of, rows)
        self._counted_parts[listing] = counted
        if len(self._counted_parts) > _MAX_REMEMBERED_COUNTS:
            del self._counted_parts[next(iter(self._counted_parts))]
        return [counted[code] for code in listing[1] if code in counted]

    async def link_sample(
        self, dataset: str, path: str, file: str, *, mask: bool, thumbnail: bool
    ) -> tuple[str, datetime]:
        """A link to a sample, its mask, or its thumbnail, and when the link expires."""
        if mask and thumbnail:
            raise InvalidArgument("mask and thumbnail cannot both be asked for: masks have no thumbnails")
        async with self._sessions.begin() as session:
            key = await DataPaths(session).key(dataset, path)
            listed = (await Samples(session).listed(key, [file])).get(file)
            if listed is None:
                raise NotFound(f"datasets/{dataset}/paths/{path} lists no {file}; list its samples")
            sha256 = listed.mask_sha256 if mask else listed.sha256
            if sha256 is None:
                raise NotFound(f"{file} of datasets/{dataset}/paths/{path} has no mask")
            image = (await ObjectRows(session).get([sha256])).get(sha256)
            now = await database_time(session)
        # Images that could not be decoded were never listed (D4).
        shown = await self._pictures.thumbnail(sha256) if thumbnail else sample_key(sha256)
        if thumbnail:
            content_type = type_of_file(shown)
        else:
            content_type = type_of_format(image.format) if isinstance(image, ImageObject) else OPAQUE
        return self._pictures.link(shown, content_type=content_type), now + LINK_LIFE

    async def plan_uploads(  # noqa: PLR0913 -- what an importer says
        self,
        dataset: str,
        path: str,
        sha256s: Sequence[str],
        sizes: Sequence[int],
        caller: Caller,
        *,
        joined: bool,
    ) -> list[tuple[str, str]]:
        """Which of these objects are missing, each with the link for its upload.

        `sizes` are in the order of the hashes, or empty. An object that is too large gets no link; adding it
        says so. If `joined`, small ones share a link.
        """
        refuse(planned_faults(sha256s, sizes))
        wanted = dict(zip(sha256s, sizes, strict=True)) if sizes else dict.fromkeys(sha256s)
        async with self._sessions.begin() as session:
            listed = await DataPaths(session).get(dataset, path)
            listed.require_owner(caller)
            await _require_room(session, listed, wanted)
            known = await ObjectRows(session).get(wanted)
            now = await database_time(session)
            # An older one may soon be deleted.
            arriving = await Uploads(session).of(caller.name, wanted, after=now - ORPHAN_GRACE / 2)
        # After an interrupted import there are uploads that arrived and were not added yet.
        looked_at = {upload.name: upload for uploads in arriving.values() for upload in uploads}
        looks = await asyncio.gather(*map(self._has_arrived, looked_at.values()))
        arrived = {name for name, is_there in zip(looked_at, looks, strict=True) if is_there}
        there = await asyncio.gather(
            *(
                self._is_usable(
                    sha256,
                    known.get(sha256),
                    has_arrived=any(upload.name in arrived for upload in arriving.get(sha256, ())),
                )
                for sha256 in wanted
            )
        )
        planned = plan(
            {
                sha256: size_bytes
                for (sha256, size_bytes), usable in zip(wanted.items(), there, strict=True)
                if not usable
            },
            joined=joined,
        )
        async with self._sessions.begin() as session:
            await Uploads(session).put(caller.name, planned, now)
        life_s = int(UPLOAD_LINK_LIFE.total_seconds())
        sent = [
            upload for upload in planned if upload.size_bytes is None or upload.size_bytes <= MAX_OBJECT_BYTES
        ]
        links = {
            name: self._store.presign_put(incoming_key(name), expires_s=life_s, size_bytes=whole_bytes)
            for name, whole_bytes in {upload.name: upload.whole_bytes for upload in sent}.items()
        }
        return [(upload.sha256, links[upload.name]) for upload in sent]

    async def add_samples(
        self, dataset: str, path: str, candidates: Sequence[Candidate], caller: Caller, *, bits: int
    ) -> tuple[list[SampleOutcome], DataPath]:
        """Check each candidate's bytes and list the valid ones; returns the outcomes in the same order.

        `bits` are those by which the importer scales deep pictures (D6).
        """
        refuse(candidate_faults(candidates))
        async with self._sessions.begin() as session:
            (await DataPaths(session).get(dataset, path)).require_owner(caller)
        laid_out = [candidate for candidate in candidates if candidate.fault() is None]
        objects = await self._verified(
            {sha256 for candidate in laid_out for sha256 in candidate.hashes},
            masks={candidate.mask_sha256 for candidate in laid_out if candidate.mask_sha256},
            uploader=caller.name,
        )
        async with self._sessions.begin() as session:
            paths, samples = DataPaths(session), Samples(session)
            key = await _lock_own(paths, dataset, path, caller)
            # Within the lock: the declarations must not change before the samples are listed.
            declared = await paths.get(dataset, path)
            judged = [
                judge(candidate, objects, declared.mask_codes, same_bits=declared.bits in {None, bits})
                for candidate in candidates
            ]
            sound = [verdict for verdict in judged if isinstance(verdict, Sample)]
            before = await samples.listed(key, [sample.file for sample in sound])
            changed = [sample for sample in sound if before.get(sample.file) != Listed.of(sample)]
            if changed:
                now = await database_time(session)
                quotas = StorageQuotas(session)
                limits = await quotas.limits_of(dataset, declared.owner)
                await samples.put(key, changed, now)
                await _require_within(quotas, limits)
                replaced = [
                    (sample.code, before[sample.file].mask_sha256 is not None)
                    for sample in changed
                    if sample.file in before
                ]
                await paths.change(key, count_changes(changed, replaced), now)
            twins = await samples.same_pixels(dataset, {sample.image.pixels_sha256 for sample in sound})
            after = await paths.get(dataset, path)
        outcomes = [
            _outcome(candidate.file, verdict, before, _same_pixels(verdict, twins, after))
            for candidate, verdict in zip(candidates, judged, strict=True)
        ]
        return outcomes, after

    async def relabel_samples(
        self, dataset: str, path: str, relabels: Sequence[Relabel], caller: Caller, *, revision: int | None
    ) -> tuple[list[RelabelOutcome], DataPath]:
        """Move samples to other codes, all in one revision; returns the outcome of each, in their order (P6).

        DataPathChanged if the path's revision is not the one that the caller saw.
        """
        refuse(relabel_faults(relabels))
        async with self._sessions.begin() as session:
            paths, samples = DataPaths(session), Samples(session)
            key = await _lock_own(paths, dataset, path, caller)
            before = await paths.get(dataset, path)
            if revision is not None and revision != before.revision:
                raise DataPathChanged(
                    f"datasets/{dataset}/paths/{path} is at revision {before.revision}, not {revision}; "
                    "look at it again",
                    path=f"datasets/{dataset}/paths/{path}",
                    revision=before.revision,
                )
            work = Relabelling.of(await samples.of_files(key, files_touched(relabels)), before.mask_codes)
            outcomes = [work.apply(relabel) for relabel in relabels]
            if not work.removed:
                return outcomes, before
            now = await database_time(session)
            removed = work.removed.values()
            await samples.remove(key, list(work.removed))
            await samples.put(key, list(work.moved.values()), now)
            changes = count_changes(
                work.moved.values(), [(sample.code, sample.mask_sha256 is not None) for sample in removed]
            )
            await paths.change(key, changes, now)
            return outcomes, await paths.get(dataset, path)

    async def snapshot(self, dataset: str, path: str) -> Snapshot:
        """Pin the present listing; the same listing gives the same snapshot."""
        async with self._sessions.begin() as session:
            key, revision = await DataPaths(session).lock_listing(dataset, path)
            kept = await Snapshots(session).of_revision(key, revision, dataset, path)
        # One that is lost or damaged is written again, as long as the listing is the same.
        if kept is not None and await self._has_sound_manifest(kept):
            return kept
        with await asyncio.to_thread(ManifestFile) as manifest:
            async with self._sessions.begin() as session:
                key, revision = await DataPaths(session).lock_listing(dataset, path)
                mask_codes = await DataPaths(session).mask_codes(key)
                async for batch in Samples(session).batches(key):
                    await asyncio.to_thread(manifest.write, batch, mask_codes)
            if not manifest.code_counts:
                raise DataPathEmpty(
                    f"datasets/{dataset}/paths/{path} holds no image; import some before it is pinned",
                    path=f"datasets/{dataset}/paths/{path}",
                )
            # The object first: its row says that it is complete.
            await self._store.put_content(
                "manifests",
                manifest.path,
                suffix=".jsonl",
                content_type="application/jsonl",
                damaged=kept is not None and kept.sha256 == manifest.sha256,
            )
        async with self._sessions.begin() as session:
            again, _ = await DataPaths(session).lock_listing(dataset, path)
            if again != key:
                raise DataPathChanged(
                    f"datasets/{dataset}/paths/{path} was deleted meanwhile, and another has its name; "
                    "look at it again",
                    path=f"datasets/{dataset}/paths/{path}",
                )
            now = await database_time(session)
            new = Snapshot(dataset, path, manifest.sha256, manifest.code_counts, now)
            return await Snapshots(session).put(key, revision, new)

    async def _has_sound_manifest(self, snapshot: Snapshot) -> bool:
        """Whether its object is there, whole, and names pixels.

        Who pinned a manifest of before, without pixels, keeps that one.
        """
        key = content_key("manifests", snapshot.sha256, ".jsonl")
        if not await self._store.has_its_hash(key):
            return False
        return names_pixels(
            await self._store.get_bytes(key, max_bytes=_MAX_LINE_BYTES, part=(0, _MAX_LINE_BYTES))
        )

    async def _is_usable(self, sha256: str, known: Verified | None, *, has_arrived: bool) -> bool:
        """Whether an import need not upload this object. What is listed is looked at too: it may be lost."""
        if isinstance(known, ImageObject):
            if not known.damaged:
                return await self._store.holds(sample_key(sha256), known.size_bytes)
        elif known is not None and not known.replaceable:
            return True
        return has_arrived

    async def _has_arrived(self, upload: Upload) -> bool:
        key = incoming_key(upload.name)
        size_bytes = upload.whole_bytes
        if size_bytes is None:
            try:
                size_bytes = (await self._store.stat(key)).size_bytes
            except NotFound:
                return False
        return size_bytes <= MAX_OBJECT_BYTES and await self._store.holds(key, size_bytes)

    async def _verified(
        self, sha256s: Collection[str], *, masks: Collection[str], uploader: str
    ) -> Mapping[str, Verified]:
        """What is known of the objects, after a look at those that are new, arrived again, or masks now."""
        async with self._sessions.begin() as session:
            objects = await ObjectRows(session).get(sha256s)
            since = await database_time(session) - ORPHAN_GRACE
            arriving = await Uploads(session).of(uploader, sha256s, after=since)
        offered = (
            _wanted(sha256, objects.get(sha256), arriving.get(sha256, ()), is_mask=sha256 in masks)
            for sha256 in sha256s
        )
        wanted = [one for one in offered if one is not None]
        if not wanted:
            # Their rows were committed after they were durable.
            return objects
        looked = await self._inspector.look_at(wanted)
        # Before any row names what was written.
        await self._store.flush()
        found = [one.found for one in looked]
        spent = [upload for one in looked for upload in one.spent]
        async with self._sessions.begin() as session:
            now = await database_time(session)
            await ObjectRows(session).put([item for item in found if _is_stored(item, objects)], now)
            free = await Uploads(session).forget(spent)
        # What stays is swept.
        with suppress(Unavailable, Internal):
            await self._store.delete_all([incoming_key(name) for name in free])
        return {**objects, **{item.sha256: item for item in found}}


def _wanted(
    sha256: str, known: Verified | None, arriving: tuple[Upload, ...], *, is_mask: bool
) -> Wanted | None:
    """What to look at of an object; None if all is known of it."""
    if isinstance(known, ImageObject):
        again = known.is_outdated or (is_mask and known.mask is None)
        was_mask = known.is_outdated and known.mask is not None
        wanted = Wanted(sha256, arriving, again and (is_mask or was_mask), known, again=again)
        return wanted if arriving or again else None
    if known is not None and not known.replaceable:
        return None
    return Wanted(sha256, arriving, is_mask)


async def _lock_own(paths: DataPaths, dataset: str, path: str, caller: Caller) -> int:
    """The number of the locked row, if the caller may change the path; NotFound, NotDataPathOwner."""
    key = await paths.lock(dataset, path)
    (await paths.get(dataset, path)).require_owner(caller)
    return key


async def _require_room(session: AsyncSession, path: DataPath, sizes: Mapping[str, int | None]) -> None:
    """StorageQuotaExceeded if these objects are over a quota of the path (D10), before they are sent."""
    quotas = StorageQuotas(session)
    limits = await quotas.limits_of(path.dataset, path.owner)
    most = sum(size or 0 for size in sizes.values())
    # What the path lists already takes no room; that is looked at only where it matters.
    if all(quota.leaves_room(most) for quota in limits):
        return
    added = await quotas.new_bytes(await DataPaths(session).key(path.dataset, path.id), sizes)
    for quota in limits:
        if added:
            quota.require_room(added)


async def _require_within(quotas: StorageQuotas, before: Sequence[StorageQuota]) -> None:
    """StorageQuotaExceeded if what was listed since `before` is over a quota; one over it may shrink."""
    after = {quota.subject: quota for quota in await quotas.of(*(quota.subject for quota in before))}
    for quota in before:
        added = after[quota.subject].used_bytes - quota.used_bytes
        if added > 0:
            quota.require_room(added)


def _parts_of(rows: Sequence[Alike]) -> dict[str, CodeParts]:
    """Parts by code. Each sample that shares nothing with others is its own part."""
    joined = [row for row in rows if row.is_shared]
    shown: Counter[frozenset[str]] = Counter()
    for row in rows:
        if not row.is_shared:
            shown[frozenset([row.code])] += row.samples
    for members in parts([keys(row.sha256, row.group, row.pixels_sha256) for row in joined]).values():
        shown[frozenset(joined[index].code for index in members)] += 1
    count: Counter[str] = Counter()
    for codes, number in shown.items():
        count.update(dict.fromkeys(codes, number))
    samples: Counter[str] = Counter()
    for row in rows:
        samples[row.code] += row.samples
    tied = tied_codes(shown)
    return {
        code: CodeParts(code, samples[code], count[code], tied.get(code, frozenset())) for code in samples
    }


def _is_stored(item: Verified, known: Mapping[str, Verified]) -> bool:
    """Whether the finding can be stored; one that is not is found again.

    What was an image by earlier rules stays one in its row, because samples name it.
    """
    if isinstance(item, RejectedObject):
        return item.final and not isinstance(known.get(item.sha256), ImageObject)
    return True


def _same_pixels(
    verdict: Sample | Rejection, found: Mapping[str, Sequence[Twin]], path: DataPath
) -> SamePixels:
    """The other samples with the pixels of one that is taken."""
    if isinstance(verdict, Rejection):
        return SamePixels()
    twins = found.get(verdict.image.pixels_sha256, ())
    here = [twin for twin in twins if (twin.dataset, twin.path) == (path.dataset, path.id)]
    elsewhere = [twin for twin in twins if (twin.dataset, twin.path) != (path.dataset, path.id)]
    return SamePixels(
        under_other_codes=(
            *(twin.file for twin in here if twin.code != verdict.code),
            *(twin.name for twin in elsewhere if twin.dataset == path.dataset and twin.code != verdict.code),
        ),
        in_other_paths=tuple(twin.name for twin in elsewhere[:_MAX_TWINS]),
        under_same_code=tuple(
            twin.file for twin in here if twin.code == verdict.code and twin.file != verdict.file
        )[:_MAX_TWINS],
    )


def _outcome(
    file: str, verdict: Sample | Rejection, before: Mapping[str, Listed], same_pixels: SamePixels
) -> SampleOutcome:
    if isinstance(verdict, Rejection):
        return SampleOutcome(file, CandidateOutcome.REJECTED, verdict)
    doubt = Doubt(verdict.image.doubt) if verdict.image.doubt else None
    if file not in before:
        return SampleOutcome(file, CandidateOutcome.ADDED, None, doubt, same_pixels)
    same = before[file] == Listed.of(verdict)
    outcome = CandidateOutcome.UNCHANGED if same else CandidateOutcome.REPLACED
    return SampleOutcome(file, outcome, None, doubt, same_pixels)
