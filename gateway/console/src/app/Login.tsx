import { Alert, Button, Card, Form, Input } from "antd";
import { useState, type ReactNode } from "react";
import { ApiError, api } from "../api/client";
import { useSpeech, type Words } from "../i18n";
import { Failure } from "../ui/states";
import { Preferences } from "./Preferences";

interface LoginForm {
  user: string;
  password: string;
  newPassword?: string;
}

/** The log-in form. People with a one-time password choose their own password in the same step. */
export default function Login({ onEntered, hint }: { onEntered: () => void; hint?: string }): ReactNode {
  const { t } = useSpeech();
  const [error, setError] = useState<ApiError>();
  const [changing, setChanging] = useState(false);
  const [busy, setBusy] = useState(false);

  const enter = async ({ user, password, newPassword }: LoginForm) => {
    setBusy(true);
    try {
      await api.post("/v1/session", { body: { userId: user, password, newPassword: newPassword ?? "" } });
      onEntered();
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      if (failure.reason === "PASSWORD_CHANGE_REQUIRED") {
        setChanging(true);
        setError(undefined);
      } else {
        setError(failure);
      }
    } finally {
      setBusy(false);
    }
  };

  return (
    <main className="login">
      <Card className="login-card">
        <div className="row">
          <img src="/icon.svg" alt="" width={30} height={30} />
          <h1 className="page-title">{t.login.title}</h1>
        </div>
        <p className="dim">{t.login.subtitle}</p>
        {hint && <Alert type="info" showIcon title={hint} style={{ marginBottom: 12 }} />}
        <Form<LoginForm> layout="vertical" onFinish={enter} disabled={busy} requiredMark={false}>
          <Form.Item name="user" label={t.login.user} rules={[{ required: true }]}>
            <Input autoComplete="username" autoFocus readOnly={changing} />
          </Form.Item>
          <Form.Item name="password" label={t.login.password} rules={[{ required: true }]}>
            <Input.Password autoComplete="current-password" readOnly={changing} />
          </Form.Item>
          {changing && <NewPassword t={t} name="newPassword" />}
          {changing && <Alert type="info" showIcon title={t.login.changeHint} className="row" />}
          {error && <Refusal error={error} t={t} />}
          <Button type="primary" htmlType="submit" block loading={busy} style={{ marginTop: 12 }}>
            {changing ? t.login.change : t.login.submit}
          </Button>
        </Form>
        <div className="row" style={{ justifyContent: "center", marginTop: 12 }}>
          <Preferences />
        </div>
      </Card>
    </main>
  );
}

/** Fields for a new password and its repetition. */
export function NewPassword({ t, name }: { t: Words; name: string }): ReactNode {
  return (
    <>
      <Form.Item name={name} label={t.login.newPassword} rules={[{ required: true, min: 10 }]}>
        <Input.Password autoComplete="new-password" />
      </Form.Item>
      <Form.Item
        name="repeat"
        label={t.login.repeat}
        dependencies={[name]}
        rules={[
          { required: true },
          ({ getFieldValue }) => ({
            validator: (_, value) =>
              value === getFieldValue(name) ? Promise.resolve() : Promise.reject(new Error(t.login.mismatch)),
          }),
        ]}
      >
        <Input.Password autoComplete="new-password" />
      </Form.Item>
    </>
  );
}

/** Shows why a log-in was refused. */
export function Refusal({ error, t }: { error: ApiError; t: Words }): ReactNode {
  const known: Record<string, string> = {
    WRONG_CREDENTIALS: t.login.wrong,
    USER_DISABLED: t.login.disabled,
    TWO_SESSIONS: t.login.twoSessions,
    LOCKED_OUT: t.login.locked(error.problem?.metadata["retry_after_s"] ?? "30"),
  };
  const text = known[error.reason];
  return text ? <Alert type="error" showIcon title={text} role="alert" /> : <Failure error={error} />;
}
