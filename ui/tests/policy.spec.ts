import { expect, open, test } from "./fixtures";

declare global {
  interface Window {
    __violations: string[];
  }
}

test("styles need the nonce of their page, which no other answer has", async ({ request }) => {
  const nonces = new Set<string>();
  for (const path of ["/admin/", "/admin/", "/admin/clients/anything"]) {
    const answer = await request.get(path);
    const policy = answer.headers()["content-security-policy"] ?? "";
    expect(policy).not.toContain("unsafe");
    const nonce = /style-src 'self' 'nonce-([A-Za-z0-9+/]{22}==)'/.exec(policy)?.[1] ?? "";
    expect(nonce, policy).not.toBe("");
    expect(await answer.text()).toContain(`<meta name="csp-nonce" content="${nonce}"`);
    expect(answer.headers()["cache-control"]).toBe("no-store");
    nonces.add(nonce);
  }
  expect(nonces.size).toBe(3);
  const page = await (await request.get("/admin/")).text();
  const asset = await request.get(/src="([^"]+\.js)"/.exec(page)?.[1] ?? "");
  expect(asset.headers()["content-security-policy"]).toContain("style-src 'self';");
  expect(asset.headers()["cache-control"]).toContain("immutable");
});

test("no page does what the policy forbids", async ({ page, api }) => {
  expect((await api.put("/api/v1/resources/services/policed", { data: { value: { desc: "a", plugins: { mocking: { response_example: "x" } } } } })).ok()).toBe(true);
  await page.addInitScript(() => {
    window.__violations = [];
    document.addEventListener("securitypolicyviolation", (event) => window.__violations.push(`${event.violatedDirective} ${event.sourceFile}:${event.lineNumber} ${event.sample}`));
  });
  // A chart, a dialog that keeps the page from scrolling, an editor with its search, menus and tooltips.
  await open(page, "/", "Overview");
  await page.keyboard.press("Control+k");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Account" }).click();
  await page.keyboard.press("Escape");
  expect(await page.evaluate(() => window.__violations)).toEqual([]);
  await open(page, "/resources/services/edit/policed", "policed");
  await page.getByRole("radiogroup", { name: "Edit as" }).getByText("JSON").click();
  const editor = page.getByRole("textbox", { name: "Resource as JSON" });
  await editor.click();
  await page.keyboard.press("Control+f");
  await page.keyboard.type("desc");
  await page.keyboard.press("Escape");
  await editor.click();
  await page.keyboard.type("{");
  await expect(page.locator(".cm-lint-marker, .cm-lintRange").first()).toBeVisible();
  await page.locator(".cm-lint-marker, .cm-lintRange").first().hover();
  expect(await page.evaluate(() => window.__violations)).toEqual([]);
  expect((await api.delete("/api/v1/resources/services/policed")).ok()).toBe(true);
});
