import { PlusOutlined } from "@ant-design/icons";
import { Button, Input, Select, Table, Tag } from "antd";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { api, type Schemas } from "../../api/client";
import { lastPart } from "../../api/names";
import { useEnvironments } from "../../api/queries";
import { useSession } from "../../api/session";
import { usePagedQuery } from "../../api/usePagedQuery";
import { useSpeech } from "../../i18n";
import { time } from "../../ui/format";
import { More } from "../../ui/More";
import { Page } from "../../ui/Page";
import { Answered, Nothing } from "../../ui/states";
import { useDebounced } from "../../ui/useDebounced";
import { useSearch } from "../../ui/useSearch";
import { ModelActions } from "./ModelActions";

const TASK_TYPES = ["TASK_TYPE_CLASSIFICATION", "TASK_TYPE_SEGMENTATION_CLASSIFICATION"] as const;

/** 模型库: all released models. */
export default function Models(): ReactNode {
  const { t, language } = useSpeech();
  const { may } = useSession();
  const [search, put] = useSearch();
  const text = search.get("q") ?? "";
  const environment = search.get("environment") ?? "";
  const type = search.get("type") ?? "";
  const taskType = TASK_TYPES.find((one) => one === type);
  const wanted = useDebounced(text);
  const environments = useEnvironments();
  const models = usePagedQuery(["models", { wanted, environment, type }], async (page, signal) => {
    const answer = await api.get("/v1/models", {
      query: { ...page, nameContains: wanted, productionEnvironment: environment, ...(taskType ? { taskType } : {}) },
      signal,
    });
    return { items: answer.models, next: answer.nextPageToken };
  });
  return (
    <Page
      title={t.models.title}
      actions={
        may("ROLE_ENGINEER") && (
          <Link to="/new">
            <Button type="primary" icon={<PlusOutlined />}>
              {t.models.newModel}
            </Button>
          </Link>
        )
      }
    >
      <div className="filters">
        <Input.Search
          allowClear
          style={{ width: 260 }}
          placeholder={t.models.searchHint}
          aria-label={t.models.searchHint}
          value={text}
          onChange={(event) => {
            put("q", event.target.value);
          }}
        />
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
        <Select
          allowClear
          style={{ width: 180 }}
          placeholder={t.common.type}
          aria-label={t.common.type}
          value={taskType ?? null}
          onChange={(value: string | undefined) => {
            put("type", value);
          }}
          options={TASK_TYPES.map((value) => ({ value, label: t.taskTypes[value] }))}
        />
      </div>
      <Answered query={models}>
        {(all) => (
          <>
            <Table<Schemas["Model"]>
              size="middle"
              rowKey="name"
              pagination={false}
              scroll={{ x: "max-content" }}
              dataSource={all}
              locale={{
                emptyText: <Nothing text={wanted || environment || taskType ? t.models.noMatch : t.models.empty} />,
              }}
              columns={[
                {
                  title: t.common.name,
                  render: (_, model) => <Link to={`/models/${lastPart(model.name)}`}>{lastPart(model.name)}</Link>,
                },
                {
                  title: t.models.latest,
                  render: (_, model) => <Tag color="blue">{lastPart(model.latestVersion)}</Tag>,
                },
                { title: t.common.type, render: (_, model) => t.taskTypes[model.taskType] },
                { title: t.common.environment, render: (_, model) => lastPart(model.productionEnvironment) },
                { title: t.models.modifier, render: (_, model) => lastPart(model.lastModifier) },
                { title: t.common.updateTime, render: (_, model) => time(model.updateTime, language) },
                {
                  title: t.common.actions,
                  render: (_, model) => <ModelActions version={model.latestVersion} />,
                },
              ]}
            />
            <More pages={models} />
          </>
        )}
      </Answered>
    </Page>
  );
}

