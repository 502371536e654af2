import { Alert, List, Text } from "@mantine/core";

import type { ConfigCheck } from "../../api/types";
import { ChangeList } from "./ChangeList";

/** What checking the document found: what is wrong, or what would change. */
export function Problems({ result }: { result: ConfigCheck }) {
  if (!result.ok || result.errors.length > 0) {
    return (
      <Alert color="red" variant="light" role="alert" title={`${result.errors.length} ${result.errors.length === 1 ? "thing is" : "things are"} wrong; nothing was changed`}>
        <List size="sm">
          {result.errors.map((error, index) => (
            <List.Item key={index}>
              {error.line === undefined ? "" : `Line ${error.line}: `}
              {error.path ? <Text span size="sm" ff="monospace">{error.path} </Text> : null}
              {error.message}
            </List.Item>
          ))}
        </List>
      </Alert>
    );
  }
  return (
    <Alert color="teal" variant="light" role="status" title={result.changes.length === 0 ? "Valid, and nothing would change" : "Valid. Applying it would do this:"}>
      {result.changes.length > 0 ? <ChangeList changes={result.changes} /> : null}
    </Alert>
  );
}
