import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Where `npm run dev` finds a running gateway's admin listener. */
const gateway = process.env.SLUICE_ADMIN ?? "http://127.0.0.1:9180";

export default defineConfig({
  base: "/admin/",
  plugins: [react()],
  build: {
    target: "es2023",
    // Nothing inline: the policy of the served pages forbids it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
  server: {
    proxy: { "/api": { target: gateway, ws: true } },
  },
});
