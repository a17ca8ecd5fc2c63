import type { ComponentType } from "react";
import { Navigate, createBrowserRouter } from "react-router";
import { deferred } from "./shared/deferred";
import type { Role } from "./shared/session";
import { For } from "./shell/For";
import { Shell } from "./shell/Shell";

/** A page of its own file, loaded when it is first opened by somebody of at least that role. */
function page(load: () => Promise<{ default: ComponentType }>, least: Role = "ROLE_VIEWER") {
  const Loaded = deferred(load);
  return (
    <For least={least}>
      <Loaded />
    </For>
  );
}

export const router = createBrowserRouter([
  {
    element: <Shell />,
    children: [
      { path: "/", element: <Navigate to="/models" replace /> },
      { path: "/models", element: page(() => import("./pages/Models")) },
      { path: "/models/:model", element: page(() => import("./pages/Model")) },
      { path: "/models/:model/compare", element: page(() => import("./pages/Compare")) },
      { path: "/compare", element: page(() => import("./pages/CompareRuns")) },
      { path: "/new", element: page(() => import("./pages/NewModel"), "ROLE_ENGINEER") },
      { path: "/tasks", element: page(() => import("./pages/Tasks")) },
      { path: "/tasks/:task", element: page(() => import("./pages/Monitor")) },
      { path: "/reports/:report", element: page(() => import("./pages/Report")) },
      { path: "/predictions", element: page(() => import("./pages/Predictions")) },
      { path: "/datasets", element: page(() => import("./pages/Datasets")) },
      { path: "/datasets/:dataset/:path", element: page(() => import("./pages/Samples")) },
      { path: "/images", element: page(() => import("./pages/Images")) },
      { path: "/master-data", element: page(() => import("./pages/MasterData")) },
      { path: "/users", element: page(() => import("./pages/Users"), "ROLE_ADMIN") },
      { path: "/audit", element: page(() => import("./pages/Audit"), "ROLE_ADMIN") },
      { path: "/system", element: page(() => import("./pages/System")) },
      { path: "*", element: page(() => import("./pages/NotFound")) },
    ],
  },
]);
