import type { RequestDetail } from "../../api/types";
import { quote } from "../../components/ShowAsApiCall";

/** Headers that a repeated call makes for itself, or that the log keeps masked. */
const LEFT_OUT = new Set(["host", "content-length", "connection", "accept-encoding", "transfer-encoding", "user-agent", "authorization", "x-api-key", "api-key", "apikey", "x-goog-api-key"]);

/** The call that the client made, as a command. The key stays a variable; without a payload, the body does too. */
export function asCurl(request: RequestDetail, origin: string): string {
  const sent = request.payload?.client_request;
  const headers = (sent?.headers ?? [["content-type", "application/json"]]).filter(([name]) => !LEFT_OUT.has(name.toLowerCase()));
  const parts = [
    `curl -X ${request.method} ${quote(origin + request.path)}`,
    '-H "Authorization: Bearer $API_KEY"',
    ...headers.map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`),
  ];
  if (request.method !== "GET") parts.push(sent && sent.encoding === "utf8" ? `-d ${quote(sent.body)}` : "-d @body.json");
  return parts.join(" \\\n  ");
}
