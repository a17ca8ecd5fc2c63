"""ComparisonService on a real PostgreSQL (P2)."""

import pytest
from loupe.errors import FailedPrecondition, InvalidArgument, NotFound
from loupe.evaluator.v1 import comparison_pb2, comparison_service_pb2, report_service_pb2

from tests.integration.evaluator.conftest import CODES, ReportServiceUnderTest, sample, set_aside

A, B, SPECIAL = CODES
FIXED, REGRESSED = comparison_pb2.CHANGE_FIXED, comparison_pb2.CHANGE_REGRESSED


async def two_reports(reports: ReportServiceUnderTest) -> tuple[str, str]:
    """Of 40 samples: 8 fixed, 1 regressed, 2 wrong in both; and some samples in one report only."""
    base = [sample(n, A, B if n < 10 else A, 0.5 + n / 100) for n in range(40)]
    candidate = [sample(n, A, B if n in {0, 1, 20} else A, 0.5 + n / 100) for n in range(40)]
    # The same file with other content is another sample; one sample was nonconforming in the candidate.
    base += [sample(100, B, B), sample(101, B, B), sample(102, B, B)]
    candidate += [sample(100, B, B, sha256="f" * 64), set_aside(101, B), sample(103, B, A), sample(104, B, A)]
    first = await reports.create(base, job="jobs/1")
    second = await reports.create(candidate, job="jobs/2")
    return first.name, second.name


async def test_the_samples_of_two_reports_are_matched_by_path_file_and_content(
    reports: ReportServiceUnderTest,
) -> None:
    """Reports over different data would compare the data, not the models."""
    base, candidate = await two_reports(reports)
    answer = await reports.comparisons.CompareReports(
        comparison_service_pb2.CompareReportsRequest(base=base, candidate=candidate)
    )
    overall = answer.overall
    assert (overall.fixed_count, overall.regressed_count) == (8, 1)
    assert (overall.unchanged_right_count, overall.unchanged_wrong_count) == (29, 2)
    assert answer.compared_count == 40
    assert answer.not_judged_count == 1
    assert (answer.base_only_count, answer.candidate_only_count) == (2, 3)
    assert overall.p_value == pytest.approx(2 * (1 + 9) / 2**9)
    assert overall.conclusion == comparison_pb2.CONCLUSION_CANDIDATE_BETTER
    assert "8 fixed against 1 regressed" in overall.message
    assert overall.message_zh
    assert [item.code for item in answer.codes] == list(CODES)
    # Holm's correction for three codes.
    assert answer.codes[0].changes.adjusted_p_value == pytest.approx(3 * overall.p_value)


async def test_the_samples_behind_the_counts_are_listed_page_by_page(reports: ReportServiceUnderTest) -> None:
    """Users check regressions sample by sample, the most confident first; no page may omit one."""
    base, candidate = await two_reports(reports)
    request = comparison_service_pb2.ListComparedSamplesRequest(base=base, candidate=candidate, page_size=7)
    listed: list[comparison_pb2.ComparedSample] = []
    while True:
        page = await reports.comparisons.ListComparedSamples(request)
        listed += page.samples
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert [item.change for item in listed[:9]] == [REGRESSED, *[FIXED] * 8]
    assert len({item.base.file for item in listed}) == len(listed) == 40
    fixed = [item.candidate.confidence for item in listed if item.change == FIXED]
    assert fixed == sorted(fixed, reverse=True)
    assert all(item.base.file == item.candidate.file for item in listed)
    assert listed[0].base.name.startswith(base)
    only = comparison_service_pb2.ListComparedSamplesRequest(
        base=base, candidate=candidate, change=REGRESSED, true_code=A
    )
    assert [item.base.file for item in (await reports.comparisons.ListComparedSamples(only)).samples] == [
        f"{A}/000020.jpg"
    ]
    only.true_code = B
    assert not (await reports.comparisons.ListComparedSamples(only)).samples
    only.page_token = request.page_token
    with pytest.raises(InvalidArgument, match="page_token"):
        await reports.comparisons.ListComparedSamples(only)


async def test_reports_with_nothing_in_common_are_refused_with_the_reason(
    reports: ReportServiceUnderTest,
) -> None:
    """Counts of 0 would be read as no difference."""
    one = await reports.create([sample(1, A, A)], job="jobs/1")
    other_bank = await reports.create([sample(2, A, A)], job="jobs/2")
    codes = {"code_list": ["X", "Y"], "num_of_classes": 2}
    other_codes = await reports.create([sample(1, "X", "X")], job="jobs/3", **codes)
    for other, said in ((other_bank, "no sample in common"), (other_codes, "no code in common")):
        with pytest.raises(FailedPrecondition, match=said) as refused:
            await reports.comparisons.CompareReports(
                comparison_service_pb2.CompareReportsRequest(base=one.name, candidate=other.name)
            )
        assert refused.value.reason == "NOT_COMPARABLE"
    with pytest.raises(NotFound):
        await reports.comparisons.CompareReports(
            comparison_service_pb2.CompareReportsRequest(base=one.name, candidate="reports/none")
        )


async def test_p2_what_a_report_can_be_compared_with_is_a_list(reports: ReportServiceUnderTest) -> None:
    """Any two reports can be compared, released or not, if they are over the same data."""
    bank, other = "datasets/d/paths/bank", "datasets/d/paths/other"
    made = {
        name: (await reports.create([sample(0, A, A)], job=f"jobs/{name}", **fields)).name
        for name, fields in {
            "validation": {"data_paths": [bank, other]},
            "run": {"data_paths": [bank], "task": "tasks/2"},
            "elsewhere": {"data_paths": [other], "task": "tasks/3"},
            # The code lists have one code in common, but for one of the models it is special.
            "strangers": {"data_paths": [bank], "code_list": ["X", "Y", A], "num_of_classes": 2},
        }.items()
    }

    async def offered(name: str, **wanted: object) -> list[str]:
        request = report_service_pb2.ListReportsRequest(comparable_with=made[name], **wanted)
        answer = await reports.stub.ListReports(request)
        return [key for item in answer.reports for key in made if made[key] == item.name]

    assert await offered("run") == ["validation"]
    assert await offered("validation") == ["elsewhere", "run"]
    assert await offered("validation", task="tasks/2") == ["run"]
    assert await offered("strangers") == []
    for nothing in ("reports/none", f"reports/{'0' * 32}"):
        with pytest.raises(NotFound):
            await reports.stub.ListReports(report_service_pb2.ListReportsRequest(comparable_with=nothing))
