import { ActionIcon, Menu, UnstyledButton, useMantineColorScheme, useComputedColorScheme } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useLocation, useSearchParams } from "react-router";

import { useLiveness } from "../api/live";
import { DEFAULT_PROJECT, queries } from "../api/queries";
import { short } from "../i18n/format";
import { useSpeech } from "../i18n/language";
import { languages, type Language } from "../i18n/messages";
import { Icon } from "../parts/Icon";
import { rooms } from "./rooms";

/** Where you are, whether the page is live, language, light or dark, and who you are. */
export function Header({ openRail }: { openRail: () => void }) {
  const { say } = useSpeech();
  const who = useQuery(queries.status()).data?.who;
  return (
    <header className="header">
      <ActionIcon
        className="rail-opener"
        variant="subtle"
        color="gray"
        size="lg"
        aria-label={say("rail.open")}
        onClick={openRail}
      >
        <Icon name="menu" />
      </ActionIcon>
      <Crumbs />
      <div className="header-tools">
        <LiveDot />
        <LanguageMenu />
        <SchemeButton />
        {who !== undefined && (
          <span className="who" title={say("header.who", { who })}>
            {who}
          </span>
        )}
      </div>
    </header>
  );
}

function Crumbs() {
  const { say } = useSpeech();
  const project = useQuery(queries.projects()).data?.[0]?.name ?? "default";
  const [first = "", ...rest] = useLocation().pathname.split("/").filter(Boolean).map(decodeURIComponent);
  const inside = first === "compare" ? "experiments" : first;
  const room = rooms.find((candidate) => candidate.path === `/${inside}`);
  const thing = rest.at(-1);
  const named = useNameOf(first, thing);
  return (
    <nav className="crumbs" aria-label={say("header.where")}>
      <ol>
        <li>
          <Link to="/">{project}</Link>
        </li>
        {room !== undefined && (
          <li>
            <Link to={room.path} aria-current={thing === undefined ? "page" : undefined}>
              {say(room.title)}
            </Link>
          </li>
        )}
        {thing !== undefined && (
          <li aria-current="page">{named ?? (/^[0-9a-f]{32}$/.test(thing) ? short(thing) : thing)}</li>
        )}
      </ol>
    </nav>
  );
}

/** What a thing is called whose address has a number only: an experiment. */
function useNameOf(room: string, thing: string | undefined): string | undefined {
  const project = useSearchParams()[0].get("project") ?? DEFAULT_PROJECT;
  const experiment = useQuery({
    ...queries.experiment(thing ?? "", project),
    enabled: room === "experiments" && thing !== undefined,
  });
  return experiment.data?.name;
}

function LiveDot() {
  const { say } = useSpeech();
  const live = useLiveness();
  return (
    <span className={`live live-${live}`} role="status" title={say(`live.${live}.about`)}>
      <span className="live-dot" aria-hidden="true" />
      <span className="live-word">{say(`live.${live}`)}</span>
    </span>
  );
}

function LanguageMenu() {
  const { say, language, choose } = useSpeech();
  return (
    <Menu position="bottom-end" withinPortal={false}>
      <Menu.Target>
        <UnstyledButton className="language" aria-label={`${language.toUpperCase()}, ${say("header.language")}: ${languages[language].name}`}>
          {language.toUpperCase()}
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        {Object.entries(languages).map(([code, { name }]) => (
          <Menu.Item key={code} lang={code} onClick={() => choose(code as Language)}>
            {name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function SchemeButton() {
  const { say } = useSpeech();
  // Without transitions Mantine would put a style element into the page, which its policy refuses.
  const { setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  const shown = useComputedColorScheme("light");
  const other = shown === "dark" ? "light" : "dark";
  const label = say(`header.theme.${other}`);
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      size="lg"
      aria-label={label}
      title={label}
      onClick={() => setColorScheme(other)}
    >
      <Icon name={other === "dark" ? "moon" : "sun"} />
    </ActionIcon>
  );
}
