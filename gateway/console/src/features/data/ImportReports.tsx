import { PictureOutlined } from "@ant-design/icons";
import { Button, Table } from "antd";
import type { ReactNode } from "react";
import { Link, useParams } from "react-router";
import { api } from "../../api/client";
import { lastPart } from "../../api/names";
import { usePagedQuery } from "../../api/usePagedQuery";
import { useSpeech } from "../../i18n";
import { importWords } from "../../i18n/imports";
import { time, whole } from "../../ui/format";
import { More } from "../../ui/More";
import { Page } from "../../ui/Page";
import { Answered, Nothing } from "../../ui/states";
import type { Report } from "./importReport";

/** The reports of the imports into a data path (D7). */
export default function ImportReports(): ReactNode {
  const { language, t } = useSpeech();
  const words = importWords[language];
  const { dataset = "", path = "" } = useParams();
  const reports = usePagedQuery(["importReports", dataset, path], async (page, signal) => {
    const answer = await api.get("/v1/datasets/{dataset}/paths/{path}/importReports", {
      path: { dataset, path },
      query: page,
      signal,
    });
    return { items: answer.importReports, next: answer.nextPageToken };
  });
  return (
    <Page
      title={words.titleOf(`${dataset} / ${path}`)}
      actions={
        <Link to={`/datasets/${dataset}/${path}`}>
          <Button icon={<PictureOutlined />}>{t.report.gallery}</Button>
        </Link>
      }
    >
      <p className="dim">{words.kept}</p>
      <Answered query={reports}>
        {(all) => (
          <Table<Report>
            size="middle"
            rowKey="name"
            pagination={false}
            scroll={{ x: "max-content" }}
            dataSource={all}
            locale={{ emptyText: <Nothing text={words.none} /> }}
            columns={[
              {
                title: words.imported,
                render: (_, { name, createTime }) => <Link to={lastPart(name)}>{time(createTime, language)}</Link>,
              },
              { title: words.by, render: (_, { creator }) => lastPart(creator) },
              { title: words.folder, dataIndex: "folder" },
              { title: words.files, align: "right", render: (_, { foundCount }) => whole(foundCount) },
              {
                title: words.taken,
                align: "right",
                render: (_, { addedCount, replacedCount }) => whole(Number(addedCount) + Number(replacedCount)),
              },
              { title: words.rejected, align: "right", render: (_, { rejectedCount }) => whole(rejectedCount) },
              { title: words.lines, align: "right", render: (_, { lineCount }) => whole(lineCount) },
            ]}
          />
        )}
      </Answered>
      <More pages={reports} />
    </Page>
  );
}
