import { useQuery } from "@tanstack/react-query";

import { queries } from "../api/queries";
import { useSpeech } from "../i18n/language";
import { Loaded } from "../parts/Loaded";
import { StateBadge } from "../parts/StateBadge";
import { When } from "../parts/When";
import { Verdicts } from "./Verdicts";

/** What gates said of a model's versions, newest first. */
export function Gates({ model }: { model: string }) {
  const { say } = useSpeech();
  const judgements = useQuery(queries.judgements(model));
  return (
    <Loaded query={judgements} what={say("gates.title")}>
      {(found) =>
        found.length === 0 ? (
          <p className="none">{say("gates.none")}</p>
        ) : (
          found.map((judgement) => {
            const { number: n, alias } = judgement;
            // What a pipeline's gate refused was never registered, so it has no number.
            const title = n === 0 ? say("gates.refused", { alias }) : say("gates.of", { n, alias });
            return (
              <section key={judgement.id} aria-label={title}>
                <div className="section-head">
                  <h2>{title}</h2>
                  <span className="none">
                    <StateBadge state={judgement.passed ? "passed" : "refused"} /> <When at={judgement.judged_at} />
                  </span>
                </div>
                <Verdicts judgement={judgement} label={title} />
              </section>
            );
          })
        )
      }
    </Loaded>
  );
}
