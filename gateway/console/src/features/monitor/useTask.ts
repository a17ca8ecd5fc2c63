import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { address, api } from "../../api/client";
import { follow } from "../../api/events";
import { useApiQuery, type ApiQuery } from "../../api/useApiQuery";
import type { Task } from "./task";

/** A task, and every change of it as it happens: the stream's messages are written into the cache. */
export function useTask(id: string): ApiQuery<Task> {
  const client = useQueryClient();
  const queryKey = useMemo(() => ["tasks", id], [id]);
  const query = useApiQuery(queryKey, async (signal) => {
    const task = await api.get("/v1/tasks/{task}", { path: { task: id }, signal });
    return newer(client.getQueryData<Task>(queryKey), task);
  });
  const loaded = query.data !== undefined;
  useEffect(() => {
    if (!loaded) return;
    const cursor = client.getQueryData<Task>(queryKey)?.revision;
    const url = address("/v1/tasks/{task}:watch", { task: id }, { cursor, follow: true });
    const stream = follow<{ task?: Task }>(url, "WatchTaskResponse", {
      onMessage: ({ task }) => {
        if (task) client.setQueryData<Task>(queryKey, (held) => newer(held, task));
      },
    });
    return () => {
      stream.close();
    };
  }, [client, id, queryKey, loaded]);
  return query;
}

/** An answer may be older than a message that came while it was read. */
export function newer(held: Task | undefined, task: Task): Task {
  return held && Number(held.revision) > Number(task.revision) ? held : task;
}
