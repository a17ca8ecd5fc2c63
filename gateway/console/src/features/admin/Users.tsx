import { App, Button, Form, Input, InputNumber, Modal, Select, Table, Tag, Typography } from "antd";
import { useState, type ReactNode } from "react";
import { api, type Schemas } from "../../api/client";
import { ids, lastPart } from "../../api/names";
import { admits, type Role } from "../../api/session";
import { usePagedQuery } from "../../api/usePagedQuery";
import { useSpeech } from "../../i18n";
import { time } from "../../ui/format";
import { More } from "../../ui/More";
import { Page } from "../../ui/Page";
import { Answered } from "../../ui/states";
import { useAction } from "../../ui/useAction";

type User = Schemas["User"];
const ROLES = ["ROLE_VIEWER", "ROLE_ENGINEER", "ROLE_RELEASER", "ROLE_ADMIN"] as const;

/** 用户与令牌: who may do what, and with which keys (A1, A2). */
export default function Users(): ReactNode {
  const { t, language } = useSpeech();
  const { modal } = App.useApp();
  const act = useAction();
  const [creating, setCreating] = useState(false);
  const [form] = Form.useForm<{ id: string; displayName: string; role: Schemas["Role"] }>();
  const users = usePagedQuery(["users"], async (page, signal) => {
    const answer = await api.get("/v1/users", { query: page, signal });
    return { items: answer.users, next: answer.nextPageToken };
  });
  const disable = (user: User) => {
    modal.confirm({
      title: `${t.users.disabled}: ${lastPart(user.name)}`,
      content: t.users.disableConfirm,
      okButtonProps: { danger: true },
      onOk: () => update(user, { disabled: true }),
    });
  };
  const update = async (user: User, part: Partial<User>) => {
    const [name] = Object.keys(part);
    await act(
      () =>
        api.patch("/v1/users/{user}", {
          path: { user: lastPart(user.name) },
          query: { updateMask: name ?? "" },
          body: part,
          etag: user.etag,
        }),
      t.common.done,
    );
  };
  const reset = (user: User) => {
    modal.confirm({
      title: `${t.users.reset}: ${lastPart(user.name)}`,
      content: t.users.resetConfirm,
      onOk: async () => {
        await act(async () => {
          const made = await api.post("/v1/users/{user}:resetPassword", {
            path: { user: lastPart(user.name) },
            body: {},
          });
          modal.info({
            title: t.users.oneTime,
            content: (
              <Typography.Text code copyable>
                {made.oneTimePassword}
              </Typography.Text>
            ),
          });
        });
      },
    });
  };
  return (
    <Page
      title={t.users.title}
      actions={
        <Button
          type="primary"
          onClick={() => {
            setCreating(true);
          }}
        >
          {t.users.create}
        </Button>
      }
    >
      <Answered query={users}>
        {(all) => (
          <Table<User>
            size="middle"
            rowKey="name"
            pagination={false}
            scroll={{ x: "max-content" }}
            dataSource={all}
            expandable={{
              expandedRowRender: (user) => <Tokens key={user.role} user={lastPart(user.name)} role={user.role} />,
            }}
            columns={[
              { title: t.users.id, render: (_, user) => lastPart(user.name) },
              { title: t.users.displayName, dataIndex: "displayName" },
              {
                title: t.users.role,
                render: (_, user) => (
                  <Select
                    size="small"
                    style={{ width: 120 }}
                    aria-label={`${t.users.role}: ${lastPart(user.name)}`}
                    value={user.role}
                    onChange={(role) => update(user, { role })}
                    options={ROLES.map((value) => ({ value, label: t.roles[value] }))}
                  />
                ),
              },
              { title: t.users.password, render: (_, user) => t.users.passwordStates[user.passwordState] },
              { title: t.common.createTime, render: (_, user) => time(user.createTime, language) },
              {
                title: t.common.actions,
                render: (_, user) => (
                  <div className="row">
                    <Button
                      type="link"
                      size="small"
                      onClick={() => {
                        reset(user);
                      }}
                    >
                      {t.users.reset}
                    </Button>
                    <Button
                      type="link"
                      size="small"
                      danger={!user.disabled}
                      onClick={() => {
                        if (user.disabled) void update(user, { disabled: false });
                        else disable(user);
                      }}
                    >
                      {user.disabled ? t.users.enable : t.users.disabled}
                    </Button>
                  </div>
                ),
              },
            ]}
          />
        )}
      </Answered>
      <More pages={users} />
      <Modal
        open={creating}
        title={t.users.create}
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
          initialValues={{ role: "ROLE_ENGINEER", displayName: "" }}
          onFinish={async ({ id, ...body }: { id: string; displayName: string; role: Schemas["Role"] }) => {
            const made = await act(() => api.post("/v1/users", { query: { userId: id }, body }), t.common.done);
            if (made) setCreating(false);
          }}
        >
          <Form.Item name="id" label={t.users.id} rules={[{ required: true }]}>
            <Input autoComplete="off" />
          </Form.Item>
          <Form.Item name="displayName" label={t.users.displayName}>
            <Input />
          </Form.Item>
          <Form.Item name="role" label={t.users.role}>
            <Select options={ROLES.map((value) => ({ value, label: t.roles[value] }))} />
          </Form.Item>
        </Form>
      </Modal>
    </Page>
  );
}

function Tokens({ user, role }: { user: string; role: Role }): ReactNode {
  const { t, language } = useSpeech();
  const { modal } = App.useApp();
  const act = useAction();
  const [days, setDays] = useState(90);
  const [purpose, setPurpose] = useState("");
  const [scope, setScope] = useState(role);
  const [now] = useState(Date.now);
  const tokens = usePagedQuery(["users", user, "tokens"], async (page, signal) => {
    const answer = await api.get("/v1/users/{user}/tokens", { path: { user }, query: page, signal });
    return { items: answer.tokens, next: answer.nextPageToken };
  });
  const create = () =>
    act(async () => {
      const made = await api.post("/v1/users/{user}/tokens", {
        path: { user },
        body: { description: purpose, role: scope, expireTime: new Date(Date.now() + days * 86400e3).toISOString() },
      });
      modal.info({
        title: t.users.secret,
        content: (
          <Typography.Text code copyable>
            {made.secret}
          </Typography.Text>
        ),
      });
    });
  return (
    <Answered query={tokens}>
      {(all) => (
        <>
          <div className="filters">
            <Input
              style={{ width: 220 }}
              placeholder={t.common.description}
              aria-label={t.common.description}
              value={purpose}
              onChange={(event) => {
                setPurpose(event.target.value);
              }}
            />
            <Select
              style={{ width: 120 }}
              aria-label={t.users.scope}
              title={t.users.scope}
              value={scope}
              onChange={setScope}
              options={ROLES.filter((value) => admits(role, value)).map((value) => ({ value, label: t.roles[value] }))}
            />
            <InputNumber
              min={1}
              max={3650}
              value={days}
              aria-label={t.users.days}
              onChange={(value) => {
                setDays(value ?? 90);
              }}
            />
            <Button onClick={create}>{t.users.newToken}</Button>
          </div>
          <Table<Schemas["Token"]>
            size="small"
            rowKey="name"
            pagination={false}
            dataSource={all}
            columns={[
              { title: t.users.tokens, render: (_, token) => lastPart(token.name) },
              {
                title: t.common.description,
                render: (_, token) => (token.session ? t.users.session : token.description),
              },
              { title: t.users.role, render: (_, token) => t.roles[token.role] },
              { title: t.common.createTime, render: (_, token) => time(token.createTime, language) },
              { title: t.users.expires, render: (_, token) => time(token.expireTime, language) },
              {
                title: t.common.actions,
                render: (_, token) =>
                  token.revoked || Date.parse(token.expireTime ?? "") <= now ? (
                    <Tag>{token.revoked ? t.users.revoked : t.users.expired}</Tag>
                  ) : (
                    <Button
                      type="link"
                      size="small"
                      danger
                      onClick={() => {
                        modal.confirm({
                          title: `${t.users.revoke} ${lastPart(token.name)}`,
                          content: t.users.revokeConfirm,
                          onOk: async () => {
                            const [owner = "", id = ""] = ids(token.name);
                            await act(
                              () =>
                                api.post("/v1/users/{user}/tokens/{token}:revoke", {
                                  path: { user: owner, token: id },
                                  body: {},
                                }),
                              t.common.done,
                            );
                          },
                        });
                      }}
                    >
                      {t.users.revoke}
                    </Button>
                  ),
              },
            ]}
          />
          <More pages={tokens} />
        </>
      )}
    </Answered>
  );
}
