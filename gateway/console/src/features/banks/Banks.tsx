import { PlusOutlined } from "@ant-design/icons";
import { Button, Select, Switch, Table, Tag } from "antd";
import { Suspense, useState, type ReactNode } from "react";
import { Link, useNavigate } from "react-router";
import { api } from "../../api/client";
import { lastPart } from "../../api/names";
import { useEnvironments } from "../../api/queries";
import { useSession } from "../../api/session";
import { usePagedQuery } from "../../api/usePagedQuery";
import { useSpeech } from "../../i18n";
import { bankWords } from "../../i18n/banks";
import { deferred } from "../../ui/deferred";
import { time, whole } from "../../ui/format";
import { More } from "../../ui/More";
import { Page } from "../../ui/Page";
import { Answered, Nothing } from "../../ui/states";
import { useSearch } from "../../ui/useSearch";
import { bankLink, bankTitle, runsItself, type Bank, when } from "./bank";

const BankForm = deferred(() => import("./BankForm"));

/** 题库: labelled data that versions are tested with and never trained on (P7). */
export default function Banks(): ReactNode {
  const { t, language } = useSpeech();
  const words = bankWords[language];
  const { may } = useSession();
  const navigate = useNavigate();
  const [search, put] = useSearch();
  const [creating, setCreating] = useState(false);
  const environment = search.get("environment") ?? "";
  const archived = search.has("archived");
  const environments = useEnvironments();
  const banks = usePagedQuery(["questionBanks", { environment, archived }], async (page, signal) => {
    const answer = await api.get("/v1/questionBanks", {
      query: { ...page, productionEnvironment: environment, showArchived: archived },
      signal,
    });
    return { items: answer.questionBanks, next: answer.nextPageToken };
  });
  return (
    <Page
      title={words.title}
      actions={
        may("ROLE_ENGINEER") && (
          <Button
            type="primary"
            icon={<PlusOutlined />}
            onClick={() => {
              setCreating(true);
            }}
          >
            {words.create}
          </Button>
        )
      }
    >
      <div className="filters" style={{ alignItems: "center" }}>
        <Select
          allowClear
          style={{ width: 260 }}
          placeholder={t.common.environment}
          aria-label={t.common.environment}
          value={environment || null}
          onChange={(value: string | undefined) => {
            put("environment", value);
          }}
          options={environments.data?.map((item) => ({
            value: item.name,
            label: `${lastPart(item.name)} · ${item.processStep}`,
          }))}
        />
        <Switch
          checked={archived}
          aria-label={words.showArchived}
          onChange={(checked) => {
            put("archived", checked ? "1" : undefined);
          }}
        />
        {words.showArchived}
      </div>
      <Answered query={banks}>
        {(all) => (
          <>
            <Table<Bank>
              size="middle"
              rowKey="name"
              pagination={false}
              scroll={{ x: "max-content" }}
              dataSource={all}
              locale={{ emptyText: <Nothing text={environment ? words.noMatch : words.empty} /> }}
              columns={[
                {
                  title: t.common.name,
                  render: (_, bank) => (
                    <>
                      <Link to={bankLink(bank.name)}>{bankTitle(bank)}</Link>{" "}
                      {bank.displayName && <small className="dim">{lastPart(bank.name)}</small>}{" "}
                      {bank.archived && <Tag>{words.archived}</Tag>}
                    </>
                  ),
                },
                { title: t.common.environment, render: (_, bank) => lastPart(bank.productionEnvironment) },
                { title: words.samples, align: "right", render: (_, bank) => whole(bank.revision?.sampleCount ?? 0) },
                { title: words.revision, align: "right", render: (_, bank) => bank.revision?.number },
                {
                  title: words.automatic,
                  render: (_, bank) =>
                    runsItself(bank) ? <Tag color="blue">{when(bank, language)}</Tag> : t.common.no,
                },
                { title: words.modifier, render: (_, bank) => lastPart(bank.lastModifier) },
                { title: t.common.updateTime, render: (_, bank) => time(bank.updateTime, language) },
              ]}
            />
            <More pages={banks} />
          </>
        )}
      </Answered>
      {creating && (
        <Suspense fallback={null}>
          <BankForm
            onClose={(made) => {
              setCreating(false);
              if (made) void navigate(bankLink(made.name));
            }}
          />
        </Suspense>
      )}
    </Page>
  );
}
