import { App, Form, Input, Modal } from "antd";
import { useState, type ReactNode } from "react";
import { ApiError, api } from "../api/client";
import { useSpeech } from "../i18n";
import { NewPassword, Refusal } from "./Login";

/** Changes the caller's own password, which ends all other sessions. */
export default function ChangePassword({ onClose }: { onClose: () => void }): ReactNode {
  const { t } = useSpeech();
  const { message } = App.useApp();
  const [form] = Form.useForm<{ password: string; newPassword: string }>();
  const [error, setError] = useState<ApiError>();
  const change = async (given: { password: string; newPassword: string }) => {
    try {
      await api.post("/v1/session:changePassword", {
        body: { password: given.password, newPassword: given.newPassword },
      });
      message.success(t.login.changed);
      setError(undefined);
      onClose();
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    }
  };
  return (
    <Modal
      open
      title={t.login.changeOwn}
      onCancel={onClose}
      onOk={() => {
        form.submit();
      }}
      destroyOnHidden
    >
      <Form form={form} layout="vertical" onFinish={change} requiredMark={false} preserve={false}>
        <Form.Item name="password" label={t.login.current} rules={[{ required: true }]}>
          <Input.Password autoComplete="current-password" />
        </Form.Item>
        <NewPassword t={t} name="newPassword" />
        {error && <Refusal error={error} t={t} />}
      </Form>
    </Modal>
  );
}
