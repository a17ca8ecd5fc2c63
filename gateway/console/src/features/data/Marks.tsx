import { DownloadOutlined } from "@ant-design/icons";
import { App, Button, Dropdown, Segmented, Table, Tag } from "antd";
import { useState, type ReactNode } from "react";
import { address, api, type Schemas } from "../../api/client";
import { lastPart, shortPath } from "../../api/names";
import { sampleAddress } from "../../api/queries";
import { useSession } from "../../api/session";
import { usePagedQuery } from "../../api/usePagedQuery";
import { useSpeech } from "../../i18n";
import { time } from "../../ui/format";
import { More } from "../../ui/More";
import { Answered, Nothing } from "../../ui/states";
import { useAction } from "../../ui/useAction";

type Mark = Schemas["RelabelMark"];
const STATES = ["RELABEL_STATE_OPEN", "RELABEL_STATE_APPLIED"] as const;

/** 标注更正: whose label people think is wrong, and what became of it (P6). */
export function Marks({ dataPath = "", report = "" }: { dataPath?: string; report?: string }): ReactNode {
  const { t, language } = useSpeech();
  const { may } = useSession();
  const { modal } = App.useApp();
  const act = useAction();
  const [state, setState] = useState<Schemas["RelabelState"]>("RELABEL_STATE_OPEN");
  const filter = { dataPath, state, report: report && `reports/${report}` };
  const marks = usePagedQuery(["relabelMarks", filter], async (page, signal) => {
    const answer = await api.get("/v1/relabelMarks", { query: { ...page, ...filter }, signal });
    return { items: answer.marks, next: answer.nextPageToken };
  });
  const apply = (path: string, count: number) => {
    modal.confirm({
      title: `${t.datasets.apply} · ${shortPath(path)}`,
      content: t.datasets.applyConfirm(count),
      onOk: async () => {
        let summary = "";
        await act(async () => {
          const answer = await api.post("/v1/relabelMarks:apply", { body: { dataPath: path } });
          const applied = answer.marks.filter((mark) => mark.state === "RELABEL_STATE_APPLIED").length;
          summary = t.datasets.applied(applied, answer.marks.length - applied);
        });
        if (summary) modal.info({ title: summary });
      },
    });
  };
  return (
    <Answered query={marks}>
      {(all) => {
        const open = new Map<string, number>();
        for (const mark of all)
          if (mark.state === "RELABEL_STATE_OPEN") open.set(mark.dataPath, (open.get(mark.dataPath) ?? 0) + 1);
        return (
          <>
            <div className="filters">
              <Segmented
                value={state}
                onChange={setState}
                options={STATES.map((value) => ({ value, label: t.datasets.markStates[value] }))}
              />
              <Dropdown
                menu={{
                  items: (["CSV", "JSON_LINES"] as const).map((format) => ({
                    key: format,
                    label: (
                      <a
                        href={address("/v1/relabelMarks:export", {}, { ...filter, format: `RELABEL_FORMAT_${format}` })}
                        download
                      >
                        {format === "CSV" ? "CSV" : "JSON Lines"}
                      </a>
                    ),
                  })),
                }}
              >
                <Button icon={<DownloadOutlined />}>{t.common.download}</Button>
              </Dropdown>
              {may("ROLE_ENGINEER") &&
                [...open].map(([path, count]) => (
                  <Button
                    key={path}
                    type="primary"
                    onClick={() => {
                      apply(path, count);
                    }}
                  >
                    {t.datasets.apply} · {shortPath(path)} ({count})
                  </Button>
                ))}
            </div>
            <Table<Mark>
              size="small"
              rowKey="name"
              pagination={false}
              scroll={{ x: "max-content" }}
              dataSource={all}
              locale={{ emptyText: <Nothing text={t.datasets.noMarks} /> }}
              columns={[
                {
                  title: t.monitor.file,
                  render: (_, mark) => (
                    <span className="row">
                      <img
                        className="mark-picture"
                        src={sampleAddress(mark.dataPath, mark.newFile || mark.file, true)}
                        alt=""
                        loading="lazy"
                      />
                      {mark.newFile || mark.file}
                    </span>
                  ),
                },
                { title: t.wizard.path, render: (_, mark) => shortPath(mark.dataPath) },
                {
                  title: t.datasets.correction,
                  render: (_, mark) => (
                    <>
                      <Tag>{mark.wrongCode}</Tag>→ <Tag color="blue">{mark.rightCode}</Tag>
                    </>
                  ),
                },
                { title: t.common.creator, render: (_, mark) => lastPart(mark.creator) },
                { title: t.common.time, render: (_, mark) => time(mark.applyTime ?? mark.createTime, language) },
                { title: t.common.description, render: (_, mark) => mark.message || mark.note },
                ...(may("ROLE_ENGINEER") && state === "RELABEL_STATE_OPEN"
                  ? [
                      {
                        title: t.common.actions,
                        render: (_: unknown, mark: Mark) => (
                          <Button
                            type="link"
                            size="small"
                            onClick={async () => {
                              await act(
                                () =>
                                  api.delete("/v1/relabelMarks/{relabelMark}", {
                                    path: { relabelMark: lastPart(mark.name) },
                                  }),
                                t.common.done,
                              );
                            }}
                          >
                            {t.datasets.takeBack}
                          </Button>
                        ),
                      },
                    ]
                  : []),
              ]}
            />
            <More pages={marks} />
          </>
        );
      }}
    </Answered>
  );
}
