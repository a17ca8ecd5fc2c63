import { useMutation } from "@tanstack/react-query";
import { App, Modal } from "antd";
import { useState, type ReactNode } from "react";
import { ApiError, api } from "../../api/client";
import { lastPart } from "../../api/names";
import { useSpeech } from "../../i18n";
import { bankWords } from "../../i18n/banks";
import { Failure } from "../../ui/states";
import { bankTitle, type Bank } from "./bank";
import { BankPaths } from "./BankPaths";

/** Freezes present data as the next revision of a bank. */
export default function ReviseBank({ bank, onClose }: { bank: Bank; onClose: () => void }): ReactNode {
  const { language } = useSpeech();
  const words = bankWords[language];
  const { message } = App.useApp();
  const [paths, setPaths] = useState<string[]>(bank.revision?.dataPaths ?? []);
  const revising = useMutation<Bank>({
    mutationFn: () =>
      api.post("/v1/questionBanks/{questionBank}/revisions", {
        path: { questionBank: lastPart(bank.name) },
        body: { dataPaths: paths },
        etag: bank.etag,
      }),
    onSuccess: ({ revision }) => {
      const number = revision?.number ?? 0;
      if (number === bank.revision?.number) message.info(words.notRevised(number));
      else message.success(words.revised(number));
      onClose();
    },
  });
  return (
    <Modal
      open
      width="min(860px, 96vw)"
      title={`${words.newRevision} · ${bankTitle(bank)}`}
      okText={words.newRevision}
      okButtonProps={{ disabled: paths.length === 0 }}
      confirmLoading={revising.isPending}
      onCancel={onClose}
      onOk={() => {
        revising.mutate();
      }}
    >
      <p>{words.newRevisionHint}</p>
      <BankPaths value={paths} onChange={setPaths} bank={bank.name} />
      {revising.error && <Failure error={ApiError.of(revising.error)} />}
    </Modal>
  );
}
