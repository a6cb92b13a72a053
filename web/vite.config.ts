import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

import { themeVariables } from "./theme-plugin.ts";

export default defineConfig({
  plugins: [react(), themeVariables()],
  build: {
    // web/build.py reads the manifest to weigh the first page, then leaves it out.
    manifest: true,
    // The page's policy allows nothing inline and no data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2023",
  },
  // `npm run dev` beside a server: athanor up --port 8790
  server: { proxy: { "/api": "http://127.0.0.1:8790" } },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
