import { Alert, Input, Table, Tag } from "antd";
import { useState, type ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { lastPart, shortPath } from "../../api/names";
import { useDataPaths } from "../../api/queries";
import { useSpeech } from "../../i18n";
import { bankWords } from "../../i18n/banks";
import { CodeCounts } from "../../ui/CodeCounts";
import { whole } from "../../ui/format";
import { Answered, Nothing } from "../../ui/states";

type Path = Schemas["DataPath"];

interface Props {
  /** The names of those that are chosen. */
  value?: readonly string[];
  onChange?: (names: string[]) => void;
  /** The bank whose data they are to be: not told as another. */
  bank?: string;
}

/** Chooses the data of a bank: what each path holds, and which are refused. */
export function BankPaths({ value = [], onChange, bank }: Props): ReactNode {
  const { t, language } = useSpeech();
  const words = bankWords[language];
  const [text, setText] = useState("");
  const paths = useDataPaths();
  return (
    <Answered query={paths}>
      {(known) => {
        const gone = value.filter((name) => !known.some((path) => path.name === name));
        const chosen = known.filter((path) => value.includes(path.name));
        const samples = chosen.reduce((sum, path) => sum + Number(path.sampleCount), 0);
        return (
          <>
            <Input.Search
              allowClear
              style={{ width: 300, marginBottom: 8 }}
              placeholder={words.findPath}
              aria-label={words.findPath}
              value={text}
              onChange={(event) => {
                setText(event.target.value);
              }}
            />
            <Table<Path>
              size="small"
              rowKey="name"
              pagination={{ pageSize: 8, hideOnSinglePage: true, showSizeChanger: false }}
              scroll={{ x: "max-content" }}
              dataSource={known.filter((path) => shortPath(path.name).toLowerCase().includes(text.toLowerCase()))}
              locale={{ emptyText: <Nothing text={known.length ? t.states.emptyTitle : words.noPaths} /> }}
              rowSelection={{
                selectedRowKeys: [...value],
                hideSelectAll: true,
                preserveSelectedRowKeys: true,
                columnTitle: <span className="unseen">{words.paths}</span>,
                onChange: (keys) => {
                  onChange?.(keys.map(String));
                },
                getCheckboxProps: (path) => ({
                  "aria-label": shortPath(path.name),
                  // One that is chosen can be let go, whatever became of it.
                  disabled: isRefused(path) && !value.includes(path.name),
                }),
              }}
              columns={[
                { title: t.wizard.path, render: (_, path) => shortPath(path.name) },
                { title: words.samples, align: "right", render: (_, path) => whole(path.sampleCount) },
                {
                  title: t.datasets.codes,
                  render: (_, path) => {
                    const others = path.questionBanks.filter((name) => name !== bank).map(lastPart);
                    return (
                      <>
                        {isRefused(path) ? <Tag color="red">{words.refusedEmpty}</Tag> : (
                          <CodeCounts counts={path.codeCounts} />
                        )}
                        {others.length > 0 && <Tag>{words.inBanks(others.join(", "))}</Tag>}
                      </>
                    );
                  },
                },
              ]}
            />
            {gone.map((name) => (
              <Alert key={name} type="error" showIcon title={`${shortPath(name)}: ${words.pathGone}`} />
            ))}
            <div className="dim" role="status" style={{ marginTop: 6 }}>
              {words.chosen(chosen.length, whole(samples))}
            </div>
          </>
        );
      }}
    </Answered>
  );
}

/** The registry pins no path without an image. */
function isRefused(path: Path): boolean {
  return path.status !== "DATA_PATH_STATUS_VALID";
}
