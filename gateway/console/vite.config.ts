import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import type { Plugin, UserConfig } from "vite";

/** What the component library does with style elements that carry no nonce, done without them. */
const OURS: Record<string, string> = {
  "/getScrollBarSize": "scrollBarSize.ts",
  "/useScrollLocker": "scrollLock.ts",
};

const withoutInlineStyles: Plugin = {
  name: "without-inline-styles",
  enforce: "pre",
  resolveId: (source, importer) => {
    const ours = Object.keys(OURS).find((end) => source.endsWith(end));
    if (!ours || !importer?.includes("@rc-component")) return null;
    return fileURLToPath(new URL(`src/shell/${OURS[ours] ?? ""}`, import.meta.url));
  },
};

const config: UserConfig & { test: object } = {
  plugins: [withoutInlineStyles, react()],
  build: {
    outDir: "dist",
    // The gateway's policy allows no inline scripts, styles or data: everything is a file of its own.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
  // `npx vite` against a running gateway, for work on the console.
  server: { proxy: { "/v1": process.env["LOUPE_GATEWAY"] ?? "http://127.0.0.1:8080" } },
};

export default config;
