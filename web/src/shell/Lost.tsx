import { Button } from "@mantine/core";
import { Link, useRouteError } from "react-router";

import { useSpeech } from "../i18n/language";
import { Failure } from "../parts/Failure";
import { Page } from "../parts/Page";

/** No page stands at this address. */
export function NotFound() {
  const { say } = useSpeech();
  return (
    <Page
      title={say("error.notFound.title")}
      about={say("error.notFound.about")}
      action={
        <Button component={Link} to="/">
          {say("error.notFound.home")}
        </Button>
      }
    />
  );
}

/** A page broke; the shell around it goes on working. */
export function Broken() {
  const { say } = useSpeech();
  const error = useRouteError();
  return (
    <Page title={say("error.page.title")} about="">
      <Failure what={say("app.name")} error={error} retry={() => location.reload()} />
    </Page>
  );
}
