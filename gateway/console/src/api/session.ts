import { createContext, use } from "react";
import type { Schemas } from "./client";

export type Role = Schemas["Role"];

const RANK: Partial<Record<Role, number>> = {
  ROLE_VIEWER: 1,
  ROLE_ENGINEER: 2,
  ROLE_RELEASER: 3,
  ROLE_ADMIN: 4,
  ROLE_SERVICE: 5,
};

/** Whether `role` includes `least` (A2). The servers decide; this only hides what they would refuse. */
export function admits(role: Role, least: Role): boolean {
  return (RANK[role] ?? 0) >= (RANK[least] ?? Number.POSITIVE_INFINITY);
}

export interface Session {
  principal: Schemas["Principal"];
  may: (least: Role) => boolean;
  logOut: () => Promise<void>;
}

export const SessionContext = createContext<Session | undefined>(undefined);

export function useSession(): Session {
  const session = use(SessionContext);
  if (!session) throw new Error("a page outside of a session");
  return session;
}
