import { keepPreviousData, useQuery } from "@tanstack/react-query";

import { LISTED, queries } from "../api/queries";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { ShowCode } from "../parts/Command";
import { Empty } from "../parts/Empty";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { RunsTable } from "./RunsTable";
import { StateFilter, useStateAsked } from "./StateFilter";

export function RunsPage() {
  const { say } = useSpeech();
  const state = useStateAsked();
  const asked = state === null ? {} : { state };
  const runs = useQuery({ ...queries.runs(asked), placeholderData: keepPreviousData });
  return (
    <Page title={say("runs.title")} about={say("runs.about")}>
      <Loaded query={runs} what={say("runs.title")} lines={8}>
        {(rows) =>
          rows.length === 0 && state === null ? (
            <Empty
              title={say("runs.empty.title")}
              about={say("runs.empty.about")}
              command={code.runScript}
            />
          ) : (
            <>
              <RunsTable
                runs={rows}
                label={say("runs.title")}
                question={state ?? ""}
                addressed
                tools={<StateFilter />}
              />
              {rows.length === 0 && <p className="none">{say("runs.none")}</p>}
              {rows.length >= LISTED && <p className="none">{say("common.limited", { n: LISTED })}</p>}
            </>
          )
        }
      </Loaded>
      <ShowCode {...code.runs(state)} />
    </Page>
  );
}
