import { FileSearchOutlined } from "@ant-design/icons";
import { Button, Modal, Select, Tag } from "antd";
import { useState, type ReactNode } from "react";
import { Link, useParams } from "react-router";
import { api } from "../../api/client";
import { sampleAddress } from "../../api/queries";
import { useApiQuery } from "../../api/useApiQuery";
import { useWindowedQuery } from "../../api/useWindowedQuery";
import { useSpeech } from "../../i18n";
import { bytes, whole } from "../../ui/format";
import { Page } from "../../ui/Page";
import { Answered, Nothing } from "../../ui/states";
import { Thumbnail, TileGrid } from "../../ui/TileGrid";

/** The images of one data path (W4). */
export default function Samples(): ReactNode {
  const { t } = useSpeech();
  const { dataset = "", path = "" } = useParams();
  const name = `datasets/${dataset}/paths/${path}`;
  const [code, setCode] = useState("");
  const known = useApiQuery(["dataPaths", dataset, path], (signal) =>
    api.get("/v1/datasets/{dataset}/paths/{path}", { path: { dataset, path }, signal }),
  );
  const samples = useWindowedQuery(
    ["samples", name, { code }],
    async (page, signal) => {
      const answer = await api.get("/v1/datasets/{dataset}/paths/{path}/samples", {
        path: { dataset, path },
        query: { ...page, code },
        signal,
      });
      return { items: answer.samples, next: answer.nextPageToken };
    },
    120,
  );
  const [open, setOpen] = useState<number>();
  const opened = open === undefined ? undefined : samples.at(open);
  const step = (by: number) => {
    if (open === undefined) return;
    const next = Math.min(samples.known - 1, Math.max(0, open + by));
    samples.show(next, next + 1);
    setOpen(next);
  };
  return (
    <Page
      title={`${dataset} / ${path}`}
      actions={
        <Link to={`/datasets/${dataset}/${path}/imports`}>
          <Button icon={<FileSearchOutlined />}>{t.datasets.importReports}</Button>
        </Link>
      }
    >
      <div className="filters">
        <Select
          style={{ width: 220 }}
          aria-label={t.report.code}
          value={code}
          onChange={setCode}
          options={[
            { value: "", label: `${t.common.all} (${whole(known.data?.sampleCount ?? 0)})` },
            ...(known.data?.codeCounts ?? []).map((count) => ({
              value: count.code,
              label: `${count.code} (${whole(count.sampleCount)})`,
            })),
          ]}
        />
      </div>
      <Answered query={samples}>
        {() =>
          samples.known === 0 ? (
            <Nothing />
          ) : (
            <TileGrid items={samples} onOpen={setOpen}>
              {(sample) => (
                <>
                  <Thumbnail src={sampleAddress(name, sample.file, true)} alt={sample.file} />
                  <span className="tile-text">
                    <strong>{sample.code}</strong> {sample.width} × {sample.height}
                  </span>
                </>
              )}
            </TileGrid>
          )
        }
      </Answered>
      <Modal
        open={opened !== undefined}
        title={opened?.file}
        footer={null}
        width="min(1180px, 96vw)"
        style={{ top: 24 }}
        onCancel={() => {
          setOpen(undefined);
        }}
      >
        {opened && (
          <>
            <div
              className="stage-canvas"
              tabIndex={0}
              role="group"
              aria-label={opened.file}
              onKeyDown={(event) => {
                if (event.key === "ArrowRight") step(1);
                if (event.key === "ArrowLeft") step(-1);
              }}
            >
              <img src={sampleAddress(name, opened.file)} alt={opened.file} />
            </div>
            <div className="row" style={{ marginTop: 10 }}>
              <Button
                size="small"
                onClick={() => {
                  step(-1);
                }}
              >
                ←
              </Button>
              <Button
                size="small"
                onClick={() => {
                  step(1);
                }}
              >
                →
              </Button>
              <Tag>{opened.code}</Tag>
              {opened.width} × {opened.height} · {opened.format} · {bytes(Number(opened.sizeBytes))}
              {opened.group && (
                <span>
                  {t.datasets.group}: <code>{opened.group}</code>
                </span>
              )}
              {opened.maskSha256 && <Tag color="blue">{t.datasets.hasMask}</Tag>}
            </div>
          </>
        )}
      </Modal>
    </Page>
  );
}
