import type { ComponentType } from "react";
import { Navigate, createBrowserRouter } from "react-router";
import type { Role } from "../api/session";
import { deferred } from "../ui/deferred";
import { RequireRole } from "./RequireRole";
import { Shell } from "./Shell";

/** A page for people of at least a role. Its script is loaded when the page is first opened. */
function page(load: () => Promise<{ default: ComponentType }>, least: Role = "ROLE_VIEWER") {
  const Loaded = deferred(load);
  const element = (
    <RequireRole least={least}>
      <Loaded />
    </RequireRole>
  );
  return { element, handle: load };
}

export const router = createBrowserRouter([
  {
    element: <Shell />,
    children: [
      { path: "/", element: <Navigate to="/models" replace /> },
      { path: "/models", ...page(() => import("../features/library/Models")) },
      { path: "/models/:model", ...page(() => import("../features/library/Model")) },
      { path: "/models/:model/compare", ...page(() => import("../features/report/Compare")) },
      { path: "/compare", ...page(() => import("../features/report/CompareRuns")) },
      { path: "/new", ...page(() => import("../features/wizard/NewModel"), "ROLE_ENGINEER") },
      { path: "/tasks", ...page(() => import("../features/monitor/Tasks")) },
      { path: "/tasks/:task", ...page(() => import("../features/monitor/Monitor")) },
      { path: "/reports/:report", ...page(() => import("../features/report/Report")) },
      { path: "/predictions", ...page(() => import("../features/report/Predictions")) },
      { path: "/banks", ...page(() => import("../features/banks/Banks")) },
      { path: "/banks/:bank", ...page(() => import("../features/banks/Bank")) },
      { path: "/datasets", ...page(() => import("../features/data/Datasets")) },
      { path: "/datasets/:dataset/:path", ...page(() => import("../features/data/Samples")) },
      { path: "/datasets/:dataset/:path/imports", ...page(() => import("../features/data/ImportReports")) },
      { path: "/datasets/:dataset/:path/imports/:report", ...page(() => import("../features/data/ImportReport")) },
      { path: "/images", ...page(() => import("../features/library/Images")) },
      { path: "/master-data", ...page(() => import("../features/admin/MasterData")) },
      { path: "/users", ...page(() => import("../features/admin/Users"), "ROLE_ADMIN") },
      { path: "/audit", ...page(() => import("../features/admin/Audit"), "ROLE_ADMIN") },
      { path: "/system", ...page(() => import("../features/admin/System")) },
      { path: "*", ...page(() => import("./NotFound")) },
    ],
  },
]);

// The first page is loaded in parallel with the request for the caller; a failure here is repeated when it is rendered.
const first = router.state.matches.at(-1)?.route.handle as (() => Promise<unknown>) | undefined;
first?.().catch(() => undefined);
