import { Alert, Button, Modal } from "antd";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { useBlocker } from "react-router";
import { useSpeech } from "../../i18n";
import { wizardWords } from "../../i18n/wizard";
import { DraftKeeper, draftStore, type Keeping, type Kept } from "./drafts";

interface Props {
  id: string;
  /** Of the draft that is resumed; empty where none was kept. */
  etag: string;
  /** Whether somebody has answered anything. */
  answered: boolean;
  kept: Kept;
  /** Another window's draft is to be shown in place of the answers here. */
  onTakeOther: () => void;
  /** Set once the answers were submitted: they are forgotten, and leaving asks no more. */
  submitted: boolean;
}

/** Keeps the answers, says whether they are kept, and asks before somebody leaves them (W14). */
export function DraftKeeping({ id, etag, answered, kept, onTakeOther, submitted }: Props): ReactNode {
  const { language } = useSpeech();
  const words = wizardWords[language];
  const [keeping, setKeeping] = useState<Keeping>();
  const [keeper] = useState(() => new DraftKeeper(draftStore(id), etag, setKeeping));
  const asks = answered && !submitted;
  const blocker = useBlocker(asks);
  const latest = useRef(kept);
  const content = JSON.stringify(kept);
  useEffect(() => {
    latest.current = kept;
  });
  useEffect(() => {
    if (asks) keeper.put(latest.current);
  }, [asks, content, keeper]);
  useEffect(() => {
    if (submitted) void keeper.forget();
  }, [submitted, keeper]);
  useEffect(() => {
    if (!asks) return;
    const ask = (event: BeforeUnloadEvent) => {
      void keeper.flush();
      event.preventDefault();
    };
    window.addEventListener("beforeunload", ask);
    return () => {
      window.removeEventListener("beforeunload", ask);
    };
  }, [asks, keeper]);
  const isKept = keeping === "kept" || keeping === "waiting" || keeping === undefined;
  /** Who was told that the answers are not kept, and leaves all the same, may. */
  const leave = async () => {
    if ((await keeper.flush()) || !isKept) blocker.proceed?.();
  };
  return (
    <>
      {asks && keeping === "elsewhere" ? (
        <Alert
          type="warning"
          showIcon
          title={words.keeping.elsewhere}
          action={
            <div className="row">
              <Button size="small" onClick={() => void keeper.overwrite()}>
                {words.overwrite}
              </Button>
              <Button
                size="small"
                onClick={() => {
                  keeper.end();
                  onTakeOther();
                }}
              >
                {words.takeOther}
              </Button>
            </div>
          }
        />
      ) : (
        asks && keeping && <span role="status" className="dim">{words.keeping[keeping]}</span>
      )}
      <Modal
        open={blocker.state === "blocked"}
        title={words.leave}
        onCancel={() => blocker.reset?.()}
        footer={[
          <Button key="stay" onClick={() => blocker.reset?.()}>
            {words.stay}
          </Button>,
          <Button key="discard" danger onClick={() => void keeper.forget().then(() => blocker.proceed?.())}>
            {words.discard}
          </Button>,
          <Button key="go" type="primary" onClick={() => void leave()}>
            {words.go}
          </Button>,
        ]}
      >
        {isKept ? words.leaveKept : words.leaveLost}
      </Modal>
    </>
  );
}
