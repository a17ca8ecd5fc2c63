import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import type { Plugin, UserConfig } from "vite";

const scrollBarSize = fileURLToPath(new URL("src/shell/scrollBarSize.ts", import.meta.url));

const ownScrollBarSize: Plugin = {
  name: "own-scroll-bar-size",
  enforce: "pre",
  resolveId: (source, importer) =>
    source.endsWith("/getScrollBarSize") && importer?.includes("@rc-component") ? scrollBarSize : null,
};

const config: UserConfig & { test: object } = {
  plugins: [ownScrollBarSize, react()],
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
