import { App } from "antd";
import { useCallback } from "react";
import { ApiError } from "../api/client";
import { useSpeech } from "../i18n";
import { said } from "./states";

/** Runs something a person asked for, and tells what came of it. Answers whether it worked. */
export function useAct(): (work: () => Promise<unknown>, success?: string) => Promise<boolean> {
  const { message } = App.useApp();
  const speech = useSpeech();
  return useCallback(
    async (work, success) => {
      try {
        await work();
        if (success) message.success(success);
        return true;
      } catch (failure) {
        if (!(failure instanceof ApiError)) throw failure;
        const told = failure.violations.map((fault) => speech.pick(fault.message, fault.messageZh)).join("; ");
        message.error(told || said(failure, speech));
        return false;
      }
    },
    [message, speech],
  );
}
