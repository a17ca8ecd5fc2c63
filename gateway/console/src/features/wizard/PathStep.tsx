import { LockOutlined } from "@ant-design/icons";
import { Button, Card, Select, Table, Tag } from "antd";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { api, type Schemas } from "../../api/client";
import { ids, shortPath } from "../../api/names";
import { sampleAddress } from "../../api/queries";
import { useApiQuery, type ApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { bankWords } from "../../i18n/banks";
import { CodeCounts } from "../../ui/CodeCounts";
import { whole } from "../../ui/format";
import { Failure, Nothing } from "../../ui/states";
import { InBanks, trainingOption } from "../banks";
import type { StepProps } from "./steps";

export function PathStep({
  spec,
  change,
  version,
  locked,
  paths: known,
}: StepProps & { locked: string[]; paths: ApiQuery<Schemas["DataPath"][]> }): ReactNode {
  const { t, language } = useSpeech();
  const words = bankWords[language];
  const all = known.data ?? [];
  const chosen = spec.dataPaths ?? [];
  // A question bank's data is trained by nobody (P7).
  const ofBanks = all.filter((path) => path.questionBanks.length > 0);
  const add = (names: string[]) => {
    const offered = names.filter((name) => !ofBanks.some((path) => path.name === name));
    change({ dataPaths: [...new Set([...chosen, ...offered])] });
  };
  const trainingPaths = version.data?.trainingPaths ?? [];
  const datasets = [...new Set(all.map((path) => ids(path.name)[0] ?? ""))];
  return (
    <Card size="small">
      <div className="filters">
        <Select
          showSearch
          style={{ width: 260 }}
          placeholder={t.wizard.addDataset}
          aria-label={t.wizard.addDataset}
          value={null}
          onChange={(dataset: string | null) => {
            add(all.filter((path) => ids(path.name)[0] === dataset).map((path) => path.name));
          }}
          options={datasets.map((value) => ({ value, label: value }))}
        />
        <Select
          showSearch
          popupMatchSelectWidth={false}
          style={{ width: 300 }}
          placeholder={t.wizard.addPath}
          aria-label={t.wizard.addPath}
          value={null}
          onChange={(name: string | null) => {
            if (name) add([name]);
          }}
          options={all
            .filter((path) => !chosen.includes(path.name))
            .map((path) => trainingOption(path, language))}
        />
        {trainingPaths.some((name) => !chosen.includes(name) && !ofBanks.some((path) => path.name === name)) && (
          <Button
            onClick={() => {
              add(trainingPaths);
            }}
          >
            {t.wizard.importTraining}
          </Button>
        )}
      </div>
      {ofBanks.length > 0 && (
        <div className="row of-banks">
          {words.inBank}
          {ofBanks.map((path) => (
            <span key={path.name}>
              {shortPath(path.name)} <InBanks path={path} apart />
            </span>
          ))}
        </div>
      )}
      {known.error && <Failure error={known.error} retry={known.reload} />}
      <Table<string>
        loading={known.loading && known.data === undefined}
        size="small"
        rowKey={(name) => name}
        pagination={false}
        dataSource={chosen}
        scroll={{ x: "max-content" }}
        locale={{ emptyText: <Nothing text={t.wizard.noPaths} /> }}
        columns={[
          { title: t.wizard.path, render: (_, name) => shortPath(name) },
          { title: t.wizard.thumbnails, width: 190, render: (_, name) => <Thumbnails dataPath={name} /> },
          {
            title: t.common.state,
            render: (_, name) => {
              if (!known.data) return null;
              const path = all.find((one) => one.name === name);
              const valid = path?.status === "DATA_PATH_STATUS_VALID";
              return (
                <>
                  <Tag color={valid ? "green" : "red"}>{valid ? t.wizard.valid : t.wizard.invalid}</Tag>
                  {path && <InBanks path={path} apart />}
                </>
              );
            },
          },
          {
            title: t.datasets.samples,
            align: "right",
            render: (_, name) => {
              const path = all.find((one) => one.name === name);
              const [dataset = "", id = ""] = ids(name);
              return (
                <Link to={`/datasets/${dataset}/${id}`} target="_blank">
                  {known.data && whole(path?.sampleCount ?? 0)}
                </Link>
              );
            },
          },
          {
            title: t.datasets.codes,
            render: (_, name) => <CodeCounts counts={all.find((one) => one.name === name)?.codeCounts ?? []} />,
          },
          { title: t.common.description, render: (_, name) => all.find((one) => one.name === name)?.description },
          {
            title: t.common.actions,
            render: (_, name) =>
              locked.includes(name) ? (
                <Tag title={t.wizard.lockedHint} icon={<LockOutlined />}>
                  {t.wizard.locked}
                </Tag>
              ) : (
                <Button
                  type="link"
                  size="small"
                  danger
                  onClick={() => {
                    change({ dataPaths: chosen.filter((other) => other !== name) });
                  }}
                >
                  {t.wizard.remove}
                </Button>
              ),
          },
        ]}
      />
    </Card>
  );
}

const SHOWN_THUMBNAILS = 4;

/** The first few pictures of a path, and all of them one click away (W4). */
function Thumbnails({ dataPath }: { dataPath: string }): ReactNode {
  const [dataset = "", path = ""] = ids(dataPath);
  const samples = useApiQuery(["samples", dataPath, { pageSize: SHOWN_THUMBNAILS }], (signal) =>
    api.get("/v1/datasets/{dataset}/paths/{path}/samples", {
      path: { dataset, path },
      query: { pageSize: SHOWN_THUMBNAILS },
      signal,
    }),
  );
  return (
    <Link to={`/datasets/${dataset}/${path}`} target="_blank" className="thumbnails" aria-label={shortPath(dataPath)}>
      {samples.data?.samples.map((sample) => (
        <img
          key={sample.file}
          src={sampleAddress(dataPath, sample.file, true)}
          alt={sample.code}
          title={sample.file}
          loading="lazy"
        />
      ))}
    </Link>
  );
}
