import { DownloadOutlined } from "@ant-design/icons";
import { Button, Card, Switch } from "antd";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { address, type Schemas } from "../../api/client";
import { follow } from "../../api/events";
import { useSpeech } from "../../i18n";
import type { Network } from "./useLossCurve";

const KEPT_LINES = 2000;

/** The end of a network's log, live, and all of it as a file (M3). */
export function LogTail({
  task,
  network,
  attempt,
  title,
}: {
  task: string;
  network: Network;
  attempt: number;
  title: string;
}): ReactNode {
  const { t } = useSpeech();
  const [lines, setLines] = useState<string[]>([]);
  const [following, setFollowing] = useState(true);
  const box = useRef<HTMLPreElement>(null);
  useEffect(() => {
    setLines([]);
    const url = address("/v1/tasks/{task}/log:watch", { task }, { network, attempt, follow: true });
    const stream = follow<Schemas["ReadLogResponse"]>(url, "ReadLogResponse", {
      onMessage: (message) => {
        setLines((before) => before.concat(message.lines).slice(-KEPT_LINES));
      },
    });
    return () => {
      stream.close();
    };
  }, [task, network, attempt]);
  useEffect(() => {
    if (!following) return;
    // In the next frame, to avoid an extra layout.
    const frame = requestAnimationFrame(() => {
      if (box.current) box.current.scrollTop = box.current.scrollHeight;
    });
    return () => {
      cancelAnimationFrame(frame);
    };
  }, [lines, following]);
  return (
    <Card
      size="small"
      title={title}
      extra={
        <div className="row">
          <Switch size="small" checked={following} onChange={setFollowing} aria-label={t.monitor.follow} />
          <small>{t.monitor.follow}</small>
          <Button
            size="small"
            icon={<DownloadOutlined />}
            href={address("/v1/tasks/{task}/log", { task }, { network, attempt })}
            download
          >
            {t.monitor.downloadLog}
          </Button>
        </div>
      }
    >
      <pre className="log" ref={box} tabIndex={0} role="region" aria-label={title}>
        {lines.join("\n")}
      </pre>
    </Card>
  );
}
