import { App } from "antd";
import { useAction } from "./useAction";

interface Question {
  /** What is done, as its button says, and to what. */
  label: string;
  subject: string;
  content: string;
  /** The message once it is done. */
  success: string;
  /** It takes nothing away. */
  harmless?: boolean;
}

/** Runs a mutation as `useAction` does, once somebody has confirmed it. */
export function useConfirmed(): (change: () => Promise<unknown>, question: Question) => void {
  const { modal } = App.useApp();
  const act = useAction();
  return (change, { label, subject, content, success, harmless = false }) => {
    modal.confirm({
      title: `${label} · ${subject}`,
      content,
      okText: label,
      okButtonProps: { danger: !harmless },
      onOk: async () => {
        await act(change, success);
      },
    });
  };
}
