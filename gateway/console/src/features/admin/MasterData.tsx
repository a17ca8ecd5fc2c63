import { Button, Form, Input, InputNumber, Modal, Table, Tabs } from "antd";
import { useState, type ReactNode } from "react";
import { api, type Schemas } from "../../api/client";
import { lastPart } from "../../api/names";
import { useComputeResources, useEnvironments } from "../../api/queries";
import { useSession } from "../../api/session";
import { useSpeech } from "../../i18n";
import { bytes } from "../../ui/format";
import { Page } from "../../ui/Page";
import { Answered } from "../../ui/states";
import { useAction } from "../../ui/useAction";
import { useConfirmed } from "../../ui/useConfirmed";

type Environment = Schemas["ProductionEnvironment"];

/** 主数据: where models work, and on what they are trained. */
export default function MasterData(): ReactNode {
  const { t } = useSpeech();
  return (
    <Page title={t.masterData.title}>
      <Tabs
        items={[
          { key: "environments", label: t.masterData.environments, children: <Environments /> },
          { key: "resources", label: t.masterData.resources, children: <Resources /> },
        ]}
      />
    </Page>
  );
}

function Environments(): ReactNode {
  const { t } = useSpeech();
  const { may } = useSession();
  const act = useAction();
  const confirmed = useConfirmed();
  const [creating, setCreating] = useState(false);
  const [form] = Form.useForm<Environment & { id: string }>();
  const environments = useEnvironments();
  const fields = [
    ["site", t.masterData.site],
    ["product", t.masterData.product],
    ["processStep", t.masterData.step],
    ["equipment", t.masterData.equipment],
    ["description", t.common.description],
  ] as const;
  return (
    <>
      {may("ROLE_ADMIN") && (
        <div className="filters">
          <Button
            onClick={() => {
              setCreating(true);
            }}
          >
            {t.common.create}
          </Button>
        </div>
      )}
      <Answered query={environments}>
        {(all) => (
          <Table<Environment>
            size="middle"
            rowKey="name"
            pagination={false}
            scroll={{ x: "max-content" }}
            dataSource={all}
            columns={[
              { title: t.common.name, render: (_, one) => lastPart(one.name) },
              ...fields.map(([dataIndex, title]) => ({ title, dataIndex })),
              ...(may("ROLE_ADMIN")
                ? [
                    {
                      title: t.common.actions,
                      render: (_: unknown, one: Environment) => (
                        <Button
                          type="link"
                          size="small"
                          danger
                          onClick={() => {
                            confirmed(
                              () =>
                                api.delete("/v1/productionEnvironments/{productionEnvironment}", {
                                  path: { productionEnvironment: lastPart(one.name) },
                                }),
                              {
                                label: t.common.delete,
                                subject: lastPart(one.name),
                                content: t.masterData.deleteConfirm,
                                success: t.common.done,
                              },
                            );
                          }}
                        >
                          {t.common.delete}
                        </Button>
                      ),
                    },
                  ]
                : []),
            ]}
          />
        )}
      </Answered>
      <Modal
        open={creating}
        title={t.masterData.environments}
        onCancel={() => {
          setCreating(false);
        }}
        onOk={() => {
          form.submit();
        }}
        destroyOnHidden
      >
        <Form
          form={form}
          layout="vertical"
          preserve={false}
          requiredMark={false}
          onFinish={async ({ id, ...body }: Environment & { id: string }) => {
            const made = await act(
              () => api.post("/v1/productionEnvironments", { query: { productionEnvironmentId: id }, body }),
              t.common.done,
            );
            if (made) setCreating(false);
          }}
        >
          <Form.Item name="id" label={t.datasets.id} rules={[{ required: true }]}>
            <Input />
          </Form.Item>
          {fields.map(([name, label]) => (
            <Form.Item key={name} name={name} label={label} initialValue="">
              <Input />
            </Form.Item>
          ))}
        </Form>
      </Modal>
    </>
  );
}

interface NewResource {
  id: string;
  description: string;
  nodes: number;
  gpus: number;
  cpus: number;
  memoryGib: number;
}

function Resources(): ReactNode {
  const { t } = useSpeech();
  const { may } = useSession();
  const act = useAction();
  const [creating, setCreating] = useState(false);
  const [form] = Form.useForm<NewResource>();
  const resources = useComputeResources();
  return (
    <>
      {may("ROLE_ADMIN") && (
        <div className="filters">
          <Button
            onClick={() => {
              setCreating(true);
            }}
          >
            {t.common.create}
          </Button>
        </div>
      )}
      <Answered query={resources}>
        {(all) => (
          <Table<Schemas["ComputeResource"]>
            size="middle"
            rowKey="name"
            pagination={false}
            dataSource={all}
            columns={[
              { title: t.common.name, render: (_, one) => lastPart(one.name) },
              { title: t.masterData.nodes, align: "right", dataIndex: "nodes" },
              { title: t.wizard.gpus, align: "right", dataIndex: "gpus" },
              { title: t.wizard.cpus, align: "right", dataIndex: "cpus" },
              { title: t.wizard.memory, align: "right", render: (_, one) => bytes(Number(one.memoryBytes)) },
              { title: t.common.description, dataIndex: "description" },
            ]}
          />
        )}
      </Answered>
      <Modal
        open={creating}
        title={t.masterData.resources}
        onCancel={() => {
          setCreating(false);
        }}
        onOk={() => {
          form.submit();
        }}
        destroyOnHidden
      >
        <Form<NewResource>
          form={form}
          layout="vertical"
          preserve={false}
          requiredMark={false}
          initialValues={{ description: "", nodes: 1, gpus: 0, cpus: 2, memoryGib: 4 }}
          onFinish={async ({ id, memoryGib, ...body }) => {
            const made = await act(
              () =>
                api.post("/v1/computeResources", {
                  query: { computeResourceId: id },
                  body: { ...body, memoryBytes: String(memoryGib * 2 ** 30) },
                }),
              t.common.done,
            );
            if (made) setCreating(false);
          }}
        >
          <Form.Item name="id" label={t.datasets.id} rules={[{ required: true }]}>
            <Input />
          </Form.Item>
          <div className="row" style={{ gap: 16 }}>
            <Form.Item name="nodes" label={t.masterData.nodes}>
              <InputNumber min={1} />
            </Form.Item>
            <Form.Item name="gpus" label={t.wizard.gpus}>
              <InputNumber min={0} />
            </Form.Item>
            <Form.Item name="cpus" label={t.wizard.cpus}>
              <InputNumber min={1} />
            </Form.Item>
            <Form.Item name="memoryGib" label={`${t.wizard.memory} (GiB)`}>
              <InputNumber min={1} />
            </Form.Item>
          </div>
          <Form.Item name="description" label={t.common.description}>
            <Input />
          </Form.Item>
        </Form>
      </Modal>
    </>
  );
}
