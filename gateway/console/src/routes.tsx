import type { ComponentType } from "react";
import { Navigate, createBrowserRouter } from "react-router";
import { deferred } from "./shared/deferred";
import type { Role } from "./shared/session";
import { For } from "./shell/For";
import { Shell } from "./shell/Shell";

/** A page of its own file, loaded when it is first opened by somebody of at least that role. */
function page(load: () => Promise<{ default: ComponentType }>, least: Role = "ROLE_VIEWER") {
  const Loaded = deferred(load);
  const element = (
    <For least={least}>
      <Loaded />
    </For>
  );
  return { element, handle: load };
}

export const router = createBrowserRouter([
  {
    element: <Shell />,
    children: [
      { path: "/", element: <Navigate to="/models" replace /> },
      { path: "/models", ...page(() => import("./pages/Models")) },
      { path: "/models/:model", ...page(() => import("./pages/Model")) },
      { path: "/models/:model/compare", ...page(() => import("./pages/Compare")) },
      { path: "/compare", ...page(() => import("./pages/CompareRuns")) },
      { path: "/new", ...page(() => import("./pages/NewModel"), "ROLE_ENGINEER") },
      { path: "/tasks", ...page(() => import("./pages/Tasks")) },
      { path: "/tasks/:task", ...page(() => import("./pages/Monitor")) },
      { path: "/reports/:report", ...page(() => import("./pages/Report")) },
      { path: "/predictions", ...page(() => import("./pages/Predictions")) },
      { path: "/datasets", ...page(() => import("./pages/Datasets")) },
      { path: "/datasets/:dataset/:path", ...page(() => import("./pages/Samples")) },
      { path: "/images", ...page(() => import("./pages/Images")) },
      { path: "/master-data", ...page(() => import("./pages/MasterData")) },
      { path: "/users", ...page(() => import("./pages/Users"), "ROLE_ADMIN") },
      { path: "/audit", ...page(() => import("./pages/Audit"), "ROLE_ADMIN") },
      { path: "/system", ...page(() => import("./pages/System")) },
      { path: "*", ...page(() => import("./pages/NotFound")) },
    ],
  },
]);

// The page that is opened first is loaded while it is asked who opens it; what fails is loaded when it is drawn.
const first = router.state.matches.at(-1)?.route.handle as (() => Promise<unknown>) | undefined;
first?.().catch(() => undefined);
