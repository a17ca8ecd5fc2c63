import { DownloadOutlined } from "@ant-design/icons";
import { Button, Image, Table } from "antd";
import type { ReactNode } from "react";
import { address, api, type Schemas } from "../../api/client";
import { shortPath } from "../../api/names";
import { sampleAddress } from "../../api/queries";
import { usePagedQuery } from "../../api/usePagedQuery";
import { useSpeech } from "../../i18n";
import { More } from "../../ui/More";
import { Answered } from "../../ui/states";

type Sample = Schemas["NonconformingSample"];

/** What a training set aside: picture, size, and the rule that it breaks; all of it as a file (M1a, D4). */
export default function Nonconforming({ task, attempt }: { task: string; attempt: number }): ReactNode {
  const { t, pick } = useSpeech();
  const samples = usePagedQuery(["tasks", task, "nonconformingSamples", attempt], async (page, signal) => {
    const query = { ...page, attempt };
    const answer = await api.get("/v1/tasks/{task}/nonconformingSamples", { path: { task }, query, signal });
    return { items: answer.samples, next: answer.nextPageToken };
  });
  const reason = (sample: Sample) => (t.monitor.reasons as Partial<Record<string, string>>)[sample.reason];
  return (
    <Answered query={samples}>
      {(all) => (
        <>
          <div className="row" style={{ marginBottom: 8 }}>
            <span className="dim">{t.monitor.pictureHint}</span>
            <Button
              size="small"
              style={{ marginLeft: "auto" }}
              icon={<DownloadOutlined />}
              href={address("/v1/tasks/{task}/nonconformingSamples:download", { task }, { attempt })}
              download
            >
              {t.monitor.downloadList}
            </Button>
          </div>
          <Table<Sample>
            size="small"
            rowKey={(sample) => `${sample.dataPath}/${sample.file}`}
            pagination={false}
            scroll={{ y: 420 }}
            dataSource={all}
            columns={[
              { title: t.monitor.picture, width: 84, render: (_, sample) => <Picture sample={sample} /> },
              { title: t.monitor.file, dataIndex: "file", className: "breaks" },
              { title: t.wizard.path, render: (_, sample) => shortPath(sample.dataPath) },
              {
                title: t.monitor.size,
                width: 110,
                render: (_, sample) => (sample.width ? `${sample.width} × ${sample.height}` : "—"),
              },
              {
                title: t.monitor.rule,
                render: (_, sample) => (
                  <>
                    <div>{reason(sample) ?? sample.reason}</div>
                    <small className="dim">{pick(sample.message, sample.messageZh)}</small>
                  </>
                ),
              },
            ]}
          />
          <More pages={samples} />
        </>
      )}
    </Answered>
  );
}

/** A small picture; a click opens the whole. What cannot be decoded has none. */
function Picture({ sample }: { sample: Sample }): ReactNode {
  const { t } = useSpeech();
  return (
    <Image
      width={64}
      height={48}
      style={{ objectFit: "contain" }}
      loading="lazy"
      src={sampleAddress(sample.dataPath, sample.file, true)}
      alt={sample.file}
      fallback={NO_PICTURE}
      preview={{ src: sampleAddress(sample.dataPath, sample.file), mask: t.monitor.whole }}
    />
  );
}

/** A crossed frame. */
const NO_PICTURE = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 48">' +
    '<path d="M1 1h62v46H1zl62 46m0-46L1 47" fill="none" stroke="#999"/></svg>',
)}`;
