import { App, Button, Card, InputNumber, Select, Table } from "antd";
import { useRef, useState, type ReactNode } from "react";
import { api, type Schemas } from "../../api/client";
import { useStorageQuotas } from "../../api/queries";
import { useSession } from "../../api/session";
import { useSpeech } from "../../i18n";
import { bytes } from "../../ui/format";
import { ScrollRegion } from "../../ui/ScrollRegion";
import { Answered, Nothing } from "../../ui/states";
import { StorageUse } from "../../ui/StorageUse";
import { useAction } from "../../ui/useAction";

type Quota = Schemas["StorageQuota"];

const GIB = 1024 ** 3;
const FOR_ALL = ["datasets/-", "users/-"];

/** 存储配额: how much datasets and users store and may; administrators set it (D10). */
export function StorageQuotas(): ReactNode {
  const { t } = useSpeech();
  const { may } = useSession();
  const { modal } = App.useApp();
  const act = useAction();
  const [subject, setSubject] = useState<string>();
  const limit = useRef<number | null>(null);
  const found = useStorageQuotas();
  const set = (of: string, limitBytes?: string) =>
    act(
      () =>
        api.post("/v1/storageQuotas:set", {
          body: limitBytes === undefined ? { subject: of } : { subject: of, limitBytes },
        }),
      t.common.done,
    );
  const ask = (of: string) => {
    limit.current = null;
    modal.confirm({
      title: `${t.system.quota.set} · ${of}`,
      content: (
        <InputNumber
          aria-label={t.system.quota.limit}
          min={0}
          suffix="GiB"
          style={{ width: "100%" }}
          onChange={(value: number | null) => {
            limit.current = value;
          }}
        />
      ),
      onOk: async () => {
        if (limit.current !== null) await set(of, String(Math.round(limit.current * GIB)));
      },
    });
  };
  return (
    <Card
      size="small"
      className="span-12"
      title={t.system.quota.title}
      extra={
        may("ROLE_ADMIN") && (
          <div className="row">
            <Select
              size="small"
              showSearch
              style={{ width: 220 }}
              aria-label={t.system.quota.of}
              placeholder={t.system.quota.of}
              value={subject}
              onChange={setSubject}
              options={[...new Set([...FOR_ALL, ...(found.data ?? []).map((one) => one.subject)])].map((value) => ({
                value,
                label: t.system.quota.forAll[value] ?? value,
              }))}
            />
            <Button
              size="small"
              disabled={!subject}
              onClick={() => {
                if (subject) ask(subject);
              }}
            >
              {t.system.quota.set}
            </Button>
          </div>
        )
      }
    >
      <Answered query={found}>
        {(quotas) =>
          quotas.length === 0 ? (
            <Nothing text={t.system.quota.nothing} />
          ) : (
            <ScrollRegion label={t.system.quota.title}>
              <Table<Quota>
                size="small"
                rowKey="subject"
                pagination={false}
                dataSource={quotas}
                columns={[
                  { title: t.system.quota.of, render: (_, one) => t.system.quota.forAll[one.subject] ?? one.subject },
                  {
                    title: t.system.quota.used,
                    render: (_, one) => (FOR_ALL.includes(one.subject) ? "—" : <StorageUse quota={one} />),
                  },
                  {
                    title: t.system.quota.limit,
                    render: (_, one) =>
                      one.limitBytes === undefined
                        ? t.system.quota.none
                        : `${bytes(Number(one.limitBytes))}${one.inherited ? ` (${t.system.quota.inherited})` : ""}`,
                  },
                  {
                    title: t.common.actions,
                    render: (_, one) =>
                      may("ROLE_ADMIN") &&
                      one.limitBytes !== undefined &&
                      !one.inherited && (
                        <Button
                          size="small"
                          type="link"
                          onClick={() => {
                            modal.confirm({
                              title: `${t.system.quota.remove} · ${one.subject}`,
                              onOk: () => set(one.subject).then(() => undefined),
                            });
                          }}
                        >
                          {t.system.quota.remove}
                        </Button>
                      ),
                  },
                ]}
              />
            </ScrollRegion>
          )
        }
      </Answered>
    </Card>
  );
}
