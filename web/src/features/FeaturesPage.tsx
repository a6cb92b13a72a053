import { code } from "../code";
import { useSpeech } from "../i18n/language";
import { Empty } from "../parts/Empty";
import { Page } from "../parts/Page";

export function FeaturesPage() {
  const { say } = useSpeech();
  return (
    <Page title={say("features.title")} about={say("features.about")}>
      <Empty
        title={say("features.empty.title")}
        about={say("features.empty.about")}
        command={code.sql}
      />
    </Page>
  );
}
