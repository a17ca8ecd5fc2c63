import { Table } from "antd";
import type { ReactNode } from "react";
import { api, type Schemas } from "../../api/client";
import { shortPath } from "../../api/names";
import { usePagedQuery } from "../../api/usePagedQuery";
import { useSpeech } from "../../i18n";
import { More } from "../../ui/More";
import { Answered } from "../../ui/states";

/** What the resolution filter set aside in a training, and why (M1, D4). */
export default function Nonconforming({ task }: { task: string }): ReactNode {
  const { t } = useSpeech();
  const samples = usePagedQuery(["tasks", task, "nonconformingSamples"], async (page, signal) => {
    const answer = await api.get("/v1/tasks/{task}/nonconformingSamples", { path: { task }, query: page, signal });
    return { items: answer.samples, next: answer.nextPageToken };
  });
  return (
    <Answered query={samples}>
      {(all) => (
        <>
          <Table<Schemas["NonconformingSample"]>
            size="small"
            rowKey={(sample) => `${sample.dataPath}/${sample.file}`}
            pagination={false}
            scroll={{ y: 420 }}
            dataSource={all}
            columns={[
              { title: t.monitor.file, dataIndex: "file" },
              { title: t.wizard.path, render: (_, sample) => shortPath(sample.dataPath) },
              { title: t.monitor.reason, render: (_, sample) => <span title={sample.message}>{sample.reason}</span> },
              {
                title: t.monitor.size,
                width: 110,
                render: (_, sample) => (sample.width ? `${sample.width} × ${sample.height}` : "—"),
              },
            ]}
          />
          <More pages={samples} />
        </>
      )}
    </Answered>
  );
}
