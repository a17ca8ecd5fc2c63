import { Alert, Button, Modal, Select, Tag } from "antd";
import { useState, type ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { ids } from "../../api/names";
import { useSpeech } from "../../i18n";
import { whole } from "../../ui/format";
import { trainingOption } from "../banks";
import { codesIn, sampleCounts, withCodesOfData, type SampleCounts, type Spec } from "./wizard";

/** The codes that will be trained, each with its samples, and those of the data that are left out (W3a, W5). */
export function Codes({ text, counts }: { text: string; counts: SampleCounts }): ReactNode {
  const { t } = useSpeech();
  const codes = codesIn(text);
  if (!codes) return <Alert type="warning" showIcon title={t.wizard.noCodes} />;
  const listed = new Set([...codes.classes, ...codes.special]);
  const left = [...counts.keys()].filter((code) => !listed.has(code)).sort();
  const rows = [
    { key: "classes", label: t.wizard.classes, members: codes.classes },
    { key: "special", label: t.wizard.special, members: codes.special },
    { key: "left", label: t.wizard.leftOut, members: left },
  ];
  return (
    <dl className="trained">
      {rows
        .filter(({ members }) => members.length)
        .map(({ key, label, members }) => (
          <div key={key} className="row" data-codes={key}>
            <dt>{label(members.length)}</dt>
            <dd>
              {members.map((code) => (
                <Tag
                  key={code}
                  color={counts.has(code) ? undefined : "red"}
                  variant={key === "left" ? "outlined" : "filled"}
                >
                  <span className="code-name">{code}</span> {whole(counts.get(code) ?? 0)}
                </Tag>
              ))}
            </dd>
          </div>
        ))}
    </dl>
  );
}

interface CodesOfDataProps {
  text: string;
  version: Schemas["AlgorithmImageVersion"];
  paths: readonly Schemas["DataPath"][];
  chosen: readonly string[];
  change: (part: Spec) => void;
}

/** Writes the codes of the chosen data into the model parameters; asks for the data first where none is chosen. */
export function CodesOfData({ text, version, paths, chosen, change }: CodesOfDataProps): ReactNode {
  const { t, language } = useSpeech();
  const [picked, setPicked] = useState<string[]>();
  const take = (dataPaths: readonly string[]) => withCodesOfData(text, version, sampleCounts(paths, dataPaths));
  const usable = paths.filter((path) => path.codeCounts.length > 0);
  return (
    <>
      <Button
        size="small"
        disabled={chosen.length > 0 && sampleCounts(paths, chosen).size === 0}
        onClick={() => {
          if (chosen.length) change({ modelParamsJson: take(chosen) });
          else setPicked([]);
        }}
      >
        {t.wizard.codesOfData}
      </Button>
      <Modal
        open={picked !== undefined}
        title={t.wizard.codesOfData}
        okButtonProps={{ disabled: !picked?.length }}
        onCancel={() => {
          setPicked(undefined);
        }}
        onOk={() => {
          const dataPaths = picked ?? [];
          change({ dataPaths, modelParamsJson: take(dataPaths) });
          setPicked(undefined);
        }}
      >
        <p>{t.wizard.codesOfDataAsk}</p>
        <Select
          mode="multiple"
          style={{ width: "100%" }}
          aria-label={t.wizard.addPath}
          placeholder={t.wizard.addPath}
          value={picked ?? []}
          onChange={setPicked}
          options={[...new Set(usable.map((path) => ids(path.name)[0] ?? ""))].map((dataset) => ({
            label: dataset,
            options: usable
              .filter((path) => ids(path.name)[0] === dataset)
              .map((path) => trainingOption(path, language)),
          }))}
        />
      </Modal>
    </>
  );
}
