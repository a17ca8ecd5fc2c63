import { Button, Table, Tag } from "antd";
import type { ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { useSpeech } from "../../i18n";
import { EstimateShare } from "../../ui/EstimateShare";
import { percent } from "../../ui/format";

type Report = Schemas["Report"];

export function CodeResults({ report, onCode }: { report: Report; onCode: (code: string) => void }): ReactNode {
  const { t } = useSpeech();
  return (
    <Table<Schemas["CodeResult"]>
      size="small"
      rowKey="code"
      pagination={false}
      scroll={{ x: "max-content" }}
      dataSource={report.codes}
      columns={[
        {
          title: t.report.code,
          render: (_, code) => (
            <>
              <Button
                type="link"
                size="small"
                onClick={() => {
                  onCode(code.code);
                }}
              >
                {code.code}
              </Button>
              {code.special && <Tag>{t.report.special}</Tag>}
            </>
          ),
        },
        {
          title: t.report.support,
          align: "right",
          dataIndex: "support",
          sorter: (a, b) => Number(a.support) - Number(b.support),
        },
        { title: t.report.precision, render: (_, code) => <EstimateShare estimate={code.precision} /> },
        {
          title: t.report.recall,
          render: (_, code) => <EstimateShare estimate={code.recall} />,
          sorter: (a, b) => (a.recall?.value ?? -1) - (b.recall?.value ?? -1),
        },
        {
          title: t.report.f1,
          align: "right",
          render: (_, code) => percent(code.f1),
        },
        ...(report.segmentation
          ? [
              {
                title: t.report.iou,
                align: "right" as const,
                render: (_: unknown, code: Schemas["CodeResult"]) => percent(code.iou?.value),
              },
            ]
          : []),
        { title: t.report.misjudged, align: "right", dataIndex: "misjudgedCount" },
      ]}
    />
  );
}
