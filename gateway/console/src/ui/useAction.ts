import { useMutation } from "@tanstack/react-query";
import { App } from "antd";
import { useCallback } from "react";
import { ApiError } from "../api/client";
import { useSpeech } from "../i18n";
import { errorText } from "./states";

/** Runs a mutation and shows its result as a message; returns whether it succeeded. Refetches all active queries. */
export function useAction(): (change: () => Promise<unknown>, success?: string) => Promise<boolean> {
  const { message } = App.useApp();
  const speech = useSpeech();
  const { mutateAsync } = useMutation<unknown, Error, () => Promise<unknown>>({ mutationFn: (change) => change() });
  return useCallback(
    async (change, success) => {
      try {
        await mutateAsync(change);
        if (success) message.success(success);
        return true;
      } catch (failure) {
        if (!(failure instanceof ApiError)) throw failure;
        const violations = failure.violations.map((fault) => speech.pick(fault.message, fault.messageZh)).join("; ");
        message.error(violations || errorText(failure, speech));
        return false;
      }
    },
    [message, mutateAsync, speech],
  );
}
