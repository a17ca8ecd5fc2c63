import { lazy, type ComponentType } from "react";
import { Navigate, createBrowserRouter } from "react-router";
import { Shell } from "./shell/Shell";

/** A page of its own file, loaded when it is first opened. */
function page(load: () => Promise<{ default: ComponentType }>) {
  const Loaded = lazy(load);
  return <Loaded />;
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
      { path: "/new", element: page(() => import("./pages/NewModel")) },
      { path: "/tasks", element: page(() => import("./pages/Tasks")) },
      { path: "/tasks/:task", element: page(() => import("./pages/Monitor")) },
      { path: "/reports/:report", element: page(() => import("./pages/Report")) },
      { path: "/predictions", element: page(() => import("./pages/Predictions")) },
      { path: "/datasets", element: page(() => import("./pages/Datasets")) },
      { path: "/datasets/:dataset/:path", element: page(() => import("./pages/Samples")) },
      { path: "/images", element: page(() => import("./pages/Images")) },
      { path: "/master-data", element: page(() => import("./pages/MasterData")) },
      { path: "/users", element: page(() => import("./pages/Users")) },
      { path: "/audit", element: page(() => import("./pages/Audit")) },
      { path: "/system", element: page(() => import("./pages/System")) },
      { path: "*", element: page(() => import("./pages/NotFound")) },
    ],
  },
]);
