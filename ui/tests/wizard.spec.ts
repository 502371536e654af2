import { execFileSync } from "node:child_process";

import { EVIL, expect, expectAccessible, test } from "./fixtures";
import { startGateway } from "./gateway";

test("from nothing to a call that answers", async ({ browser }) => {
  const gateway = await startGateway();
  const context = await browser.newContext({ baseURL: gateway.admin, storageState: { cookies: [], origins: [] } });
  const page = await context.newPage();
  await page.goto(`/admin/setup?token=${gateway.setupToken}`);
  await page.getByRole("textbox", { name: "Name" }).fill("grace");
  await page.getByRole("textbox", { name: "Password", exact: true }).fill("long enough, surely");
  await page.getByRole("textbox", { name: "Password again" }).fill("long enough, surely");
  await page.getByRole("button", { name: "Continue" }).click();

  await page.getByRole("combobox", { name: "Type" }).click();
  await page.getByRole("option", { name: /^echo/i }).click();
  await page.getByRole("textbox", { name: "ID" }).fill("first");
  await expectAccessible(page);
  await page.getByRole("button", { name: "Test", exact: true }).click();
  await expect(page.getByText("It works")).toBeVisible();
  await page.getByRole("button", { name: "Add provider" }).click();
  await expect(page.getByText("It works")).toHaveCount(0);
  await page.getByRole("button", { name: "Test", exact: true }).click();
  await expect(page.getByText("It works")).toBeVisible();
  await page.getByRole("button", { name: "List models" }).click();
  await expect(page.getByRole("table", { name: "Models of the provider" }).getByText("echo-embedding")).toBeVisible();
  await page.getByRole("button", { name: "Continue" }).click();

  await page.getByRole("textbox", { name: "Name of the client" }).fill(EVIL);
  await page.getByRole("combobox", { name: "Model" }).fill("parrot");
  await expectAccessible(page);
  await page.getByRole("button", { name: "Create client" }).click();

  const key = (await page.locator("[data-new-key]").textContent()) ?? "";
  expect(key).toMatch(/^gm_/);
  await expect(page.getByRole("button", { name: "Finish" })).toBeDisabled();
  const text = ((await page.getByText(/^curl /).textContent()) ?? "").replace(/http:\/\/[^/ ]+/, gateway.proxy);
  expect(execFileSync("bash", ["-c", `${text} -sS --fail-with-body`], { encoding: "utf8" })).toContain("Hello");
  await page.getByRole("button", { name: "Make the call" }).click();
  await expect(page.getByText("It works")).toBeVisible();
  await page.getByRole("button", { name: "Finish" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
  expect(await page.evaluate(() => (window as { __ran?: number }).__ran)).toBeUndefined();
  await context.close();
  await gateway.stop();
});
