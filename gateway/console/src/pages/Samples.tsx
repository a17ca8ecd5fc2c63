import { Image, Select } from "antd";
import { useState, type ReactNode } from "react";
import { useParams } from "react-router";
import { address, api } from "../api/client";
import { useQuery } from "../api/useQuery";
import { useSpeech } from "../i18n";
import { More } from "../shared/More";
import { Page } from "../shared/Page";
import { whole } from "../shared/format";
import { Answered, Nothing } from "../shared/states";
import { usePages } from "../shared/usePages";

/** The images of one data path (W4). */
export default function Samples(): ReactNode {
  const { t } = useSpeech();
  const { dataset = "", path = "" } = useParams();
  const [code, setCode] = useState("");
  const known = useQuery(`path ${dataset}/${path}`, (signal) =>
    api.get("/v1/datasets/{dataset}/paths/{path}", { path: { dataset, path }, signal }),
  );
  const samples = usePages(
    `images ${dataset}/${path} ${code}`,
    async (page, signal) => {
      const answer = await api.get("/v1/datasets/{dataset}/paths/{path}/samples", {
        path: { dataset, path },
        query: { ...page, code },
        signal,
      });
      return { items: answer.samples, next: answer.nextPageToken };
    },
    undefined,
    60,
  );
  const source = (file: string) => {
    const [sample = "", name = ""] = file.split("/");
    return address("/v1/datasets/{dataset}/paths/{path}/samples/{sample}/{file}", { dataset, path, sample, file: name });
  };
  return (
    <Page title={`${dataset} / ${path}`}>
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
        {(all) =>
          all.length === 0 ? (
            <Nothing />
          ) : (
            <Image.PreviewGroup>
              <div className="gallery">
                {all.map((sample) => (
                  <figure key={sample.file} className="tile" style={{ margin: 0 }}>
                    <Image
                      className="tile-picture"
                      width="100%"
                      height={110}
                      loading="lazy"
                      src={source(sample.file)}
                      alt={sample.file}
                    />
                    <figcaption className="tile-text">
                      <strong>{sample.code}</strong> {sample.width} × {sample.height}
                    </figcaption>
                  </figure>
                ))}
              </div>
            </Image.PreviewGroup>
          )
        }
      </Answered>
      <More pages={samples} />
    </Page>
  );
}
