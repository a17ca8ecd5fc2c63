"""Trainings and versions are tested with the question banks of their environment (P8)."""

import hashlib
import logging

from loupe.errors import Aborted, DeadlineExceeded, LoupeError, ResourceExhausted, Unavailable

from services.caller import Caller
from services.scheduler.application.dependencies import Dependencies
from services.scheduler.application.submitting import Submissions
from services.scheduler.domain.bank_run import BankRun, KeptBankRun, refusals_of
from services.scheduler.domain.spec import BankRunDue, BankToRun, PredictionRequest
from services.scheduler.domain.task import TaskNotFound
from services.scheduler.storage.bank_runs import BankRuns
from services.scheduler.storage.tasks import Tasks

_AT_ONCE = 20
_TRANSIENT = (Aborted, DeadlineExceeded, ResourceExhausted, Unavailable)

_log = logging.getLogger(__name__)


class AutomaticRuns:
    """Submits a prediction for each completed training and released version, and each bank that wants it.

    The end of a training and the consumer of releases store what is due. It stays due until every bank has
    its task, or has refused it: after a crash the request ids find the tasks that are there already (W12).
    """

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._submissions = Submissions(dependencies)

    async def run_due(self) -> None:
        """Submit what is due. What cannot be asked or submitted now stays due; what is refused is done."""
        async with self._dependencies.sessions.begin() as session:
            due = await BankRuns(session).due(_AT_ONCE)
        for one in due:
            try:
                await self._run(one)
            except LoupeError as error:
                _log.warning(
                    "question banks not run yet",
                    extra={"judged": one.judged, "reason": error.reason, "error": error.message},
                )
                return
            async with self._dependencies.sessions.begin() as session:
                await BankRuns(session).done(one.judged)

    async def _run(self, due: BankRunDue) -> None:
        banks = await self._dependencies.registry.banks_to_run(
            due.production_environment, after_training=due.after_training
        )
        if not banks:
            return
        async with self._dependencies.sessions.begin() as session:
            try:
                training = await Tasks(session).get(due.task.removeprefix("tasks/"))
            except TaskNotFound:
                # It was deleted since it was completed.
                return
            tested = await BankRuns(session).tested(due.judged)
            revisions = await BankRuns(session).revisions(due.task)
        for bank in banks:
            # The release was told again, or the training was tested with the same revision.
            if bank.name in tested or bank.revision in revisions:
                continue
            run = await self._submit(due, bank, bank.compute_resource or training.spec.compute_resource)
            async with self._dependencies.sessions.begin() as session:
                await BankRuns(session).keep(run)

    async def page(self, bank: str, *, before: int | None, limit: int) -> list[KeptBankRun]:
        """What became of the newest runs, of one bank if it is named; only those older than `before`."""
        async with self._dependencies.sessions.reading() as session:
            return await BankRuns(session).page(bank, before=before, limit=limit)

    async def _submit(self, due: BankRunDue, bank: BankToRun, compute_resource: str) -> BankRun:
        request = PredictionRequest(
            model_version="" if due.after_training else due.judged,
            training_task=due.judged if due.after_training else "",
            question_bank=bank.revision,
            compute_resource=compute_resource,
            exclude_training_overlap=True,
        )
        facts = {"judged": due.judged, "bank": bank.revision}
        try:
            task = await self._submissions.create(
                request, Caller(due.caller), request_id=_request_id(due, bank)
            )
        except _TRANSIENT:
            raise
        except LoupeError as error:
            _log.warning(
                "question bank cannot be run", extra={**facts, "reason": error.reason, "error": error.message}
            )
            return BankRun(bank.revision, due.judged, refusals=refusals_of(error))
        _log.info("question bank is run", extra={**facts, "task": task.name})
        return BankRun(bank.revision, due.judged, task.name)


def _request_id(due: BankRunDue, bank: BankToRun) -> str:
    """The same for every attempt."""
    text = f"{due.judged} {bank.revision}"
    return f"bank-run-{hashlib.sha256(text.encode()).hexdigest()[:40]}"
