import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";

import { queries } from "../api/queries";
import { storedToken, storeToken } from "../api/token";
import { useSpeech } from "../i18n/language";
import { Facts } from "../parts/Facts";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";

export function AdminPage() {
  const { say } = useSpeech();
  const queryClient = useQueryClient();
  const status = useQuery(queries.status());
  const projects = useQuery(queries.projects());
  const forget = (): void => {
    storeToken(null);
    void queryClient.invalidateQueries();
  };
  return (
    <Page
      title={say("admin.title")}
      about={say("admin.about")}
      action={
        storedToken() === null ? undefined : (
          <Button variant="default" onClick={forget}>
            {say("admin.forget")}
          </Button>
        )
      }
    >
      <Loaded query={status} what={say("admin.title")}>
        {(told) => (
          <Facts
            facts={[
              [say("admin.version"), told.version],
              [say("admin.workspace"), <code key="workspace">{told.workspace}</code>],
              [say("admin.who"), told.who],
              [say("admin.projects"), (projects.data ?? []).map((project) => project.name).join(", ")],
              [say("admin.api"), <a key="api" href="/openapi.json">/openapi.json</a>],
            ]}
          />
        )}
      </Loaded>
    </Page>
  );
}
