import { useQuery } from "@tanstack/react-query";
import { NavLink } from "react-router";

import { queries } from "../api/queries";
import { useSpeech } from "../i18n/language";
import { Icon } from "../parts/Icon";
import { rooms } from "./rooms";

/** The rooms of the life cycle, each with how much is in it. */
export function Rail({ onLeave }: { onLeave?: () => void }) {
  const { say, number } = useSpeech();
  const counts = useQuery(queries.status()).data?.counts ?? {};
  return (
    <nav className="rail" aria-label={say("rail.label")}>
      <NavLink to="/" className="brand" onClick={onLeave}>
        <img src="/flame.svg" alt="" width="22" height="22" />
        <span>{say("app.name")}</span>
      </NavLink>
      <ul>
        {rooms.map((room) => {
          const count = room.count === undefined ? undefined : counts[room.count];
          return (
            <li key={room.path}>
              <NavLink
                to={room.path}
                end={room.path === "/"}
                className={room.part === true ? "rail-link rail-part" : "rail-link"}
                onClick={onLeave}
              >
                <Icon name={room.icon} />
                <span>{say(room.title)}</span>
                {count !== undefined && count > 0 && (
                  <span className={room.count === "alerts" ? "count count-alert" : "count"}>{number(count)}</span>
                )}
              </NavLink>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}
