import { Alert } from "antd";
import type { ReactNode } from "react";
import { useParams, useSearchParams } from "react-router";
import { api } from "../../api/client";
import { ids, lastPart } from "../../api/names";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { Page } from "../../ui/Page";
import { Failure, Loading } from "../../ui/states";
import { ReportView } from "./ReportView";


/** 评估报告: what a model got right and wrong, and the samples behind each number. */
export default function ReportPage(): ReactNode {
  const { report: id = "" } = useParams();
  const [search] = useSearchParams();
  const version = search.get("version") ?? "";
  const { t } = useSpeech();
  const found = useApiQuery(["reports", id, { version }], async (signal) => {
    if (id !== "latest") {
      return { report: await api.get("/v1/reports/{report}", { path: { report: id }, signal }), fallback: false };
    }
    const official = await api.get("/v1/reports", {
      query: { modelVersion: version, official: true, pageSize: 1 },
      signal,
    });
    const [model = "", number = ""] = ids(version);
    const name =
      official.reports[0]?.name ??
      (await api.get("/v1/models/{model}/versions/{version}", { path: { model, version: number }, signal })).report;
    const report = await api.get("/v1/reports/{report}", { path: { report: lastPart(name) }, signal });
    return { report, fallback: official.reports.length === 0 };
  });
  if (!found.data) {
    return (
      <Page title={t.report.title}>
        {found.error ? <Failure error={found.error} retry={found.reload} /> : <Loading />}
      </Page>
    );
  }
  return (
    <>
      {found.data.fallback && <Alert banner type="info" title={t.models.noReport} />}
      <ReportView report={found.data.report} />
    </>
  );
}

