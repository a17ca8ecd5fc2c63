import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import type { Plugin, UserConfig } from "vite";

/** Modules of the component library that write style elements without a nonce, and our replacements. */
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
    return fileURLToPath(new URL(`src/ui/${OURS[ours] ?? ""}`, import.meta.url));
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
    license: { fileName: "licences.md" },
    // A browser requests six files at a time: what every page needs is one file, what several pages need are a few.
    rolldownOptions: {
      output: {
        chunkFileNames: ({ name }) => `assets/${name.startsWith("shared") ? "shared" : "[name]"}-[hash].js`,
        codeSplitting: {
          groups: [
            { name: "base", tags: ["$initial"], priority: 2 },
            // Every page needs these; as small shared modules they would be merged into a file that few pages need.
            {
              name: "read",
              test: /\/node_modules\/@tanstack\/(query-core|react-query)\/|\/src\/(api\/|ui\/(format|useAction|identity))/,
              priority: 1,
            },
            // What other pages show of question banks stays apart: merged, it would be loaded before the first curve.
            {
              name: "shared",
              test: /^(?!.*\/src\/(features|i18n)\/banks)/,
              minShareCount: 2,
              entriesAware: true,
              entriesAwareMergeThreshold: 8_000,
            },
          ],
        },
      },
    },
  },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
  // `scripts/npm exec vite` against a running gateway, for work on the console.
  server: { proxy: { "/v1": process.env["LOUPE_GATEWAY"] ?? "http://127.0.0.1:8080" } },
};

export default config;
