// Writes docs/screenshots. Not a test of anything: `make screenshots` runs it.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";

import type { Page } from "@playwright/test";

import { expect, test } from "../tests/fixtures";
import { populate } from "./world";

const FOLDER = resolve("../docs/screenshots");
const SCHEMES = ["light", "dark"] as const;

const PAGES: [string, string][] = [
  ["overview", "/"],
  ["connect", "/connect?client=support-bot"],
  ["clients", "/clients"],
  ["client", "/clients/support-bot"],
  ["client-keys", "/clients/support-bot?tab=keys"],
  ["client-models", "/clients/support-bot?tab=models"],
  ["client-limits", "/clients/support-bot?tab=limits"],
  ["client-usage", "/clients/support-bot?tab=activity"],
  ["client-new", "/clients?new=1"],
  ["limits", "/limits"],
  ["members", "/members"],
  ["providers", "/providers"],
  ["provider", "/providers/anthropic"],
  ["models", "/models"],
  ["model", "/models/edit/assistant"],
  ["routes", "/resources/routes"],
  ["route", "/resources/routes/legacy-chat"],
  ["match", "/resources/match"],
  ["plugins", "/resources/plugins"],
  ["requests", "/requests"],
  ["usage", "/usage"],
  ["audit", "/audit"],
  ["playground", "/playground?client=support-bot"],
  ["cache", "/cache"],
  ["settings", "/settings"],
  ["configuration", "/configuration"],
];

/** The pages that are shown on a phone, too. */
const PHONE = new Set(["overview", "clients", "client", "requests", "limits", "providers", "model", "usage"]);

async function picture(page: Page, name: string): Promise<void> {
  await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
  await expect(page.locator(".mantine-Skeleton-root")).toHaveCount(0);
  await page.waitForLoadState("load");
  await page.evaluate(() => document.fonts.ready.then(() => undefined));
  const path = `${FOLDER}/${name}.png`;
  await page.screenshot({ path, animations: "disabled" });
  // A palette makes a third of it; where there is no tool for that, the picture is only larger.
  try {
    execFileSync("pngquant", ["--force", "--skip-if-larger", "--quality", "70-95", "--output", path, path], { stdio: "ignore" });
  } catch {
    return;
  }
}

test("pictures", async ({ page, gateway, api, browser }) => {
  mkdirSync(FOLDER, { recursive: true });
  const key = await populate(gateway, api);
  for (const scheme of SCHEMES) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const [name, path] of PAGES) {
      await page.setViewportSize({ width: 1440, height: 900 });
      await page.goto(`/admin${path}`);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await picture(page, `${name}-${scheme}`);
      if (!PHONE.has(name)) continue;
      await page.setViewportSize({ width: 390, height: 844 });
      await picture(page, `${name}-phone-${scheme}`);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.goto("/admin/requests");
    await page.getByRole("button", { name: /^Open request/ }).last().click();
    await expect(page.getByRole("dialog")).toBeVisible();
    await picture(page, `request-${scheme}`);
    const context = await browser.newContext({ baseURL: gateway.admin, storageState: { cookies: [], origins: [] }, colorScheme: scheme, viewport: { width: 1440, height: 900 } });
    const holder = await context.newPage();
    await holder.goto("/admin/");
    await expect(holder.getByRole("heading", { name: "Sign in" })).toBeVisible();
    await picture(holder, `sign-in-${scheme}`);
    await holder.getByRole("button", { name: "I have a key and want to see its limits" }).click();
    await holder.getByRole("textbox", { name: "Key" }).fill(key);
    await holder.getByRole("button", { name: "Sign in" }).click();
    await expect(holder.getByRole("heading", { level: 1, name: "Support bot" })).toBeVisible();
    await picture(holder, `my-key-${scheme}`);
    await context.close();
  }
});
