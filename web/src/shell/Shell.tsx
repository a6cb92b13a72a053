import { Drawer } from "@mantine/core";
import { Suspense, useState } from "react";
import { Outlet, ScrollRestoration } from "react-router";

import { useSpeech } from "../i18n/language";
import { Header } from "./Header";
import { Rail } from "./Rail";

/** What stands around every page. */
export function Shell() {
  const { say } = useSpeech();
  const [railOpen, setRailOpen] = useState(false);
  const closeRail = (): void => setRailOpen(false);
  return (
    <div className="shell">
      <a className="skip" href="#content">
        {say("app.skip")}
      </a>
      <div className="rail-side">
        <Rail />
      </div>
      {/* Locking the scroll would put a style element into the page, which its policy refuses. */}
      <Drawer.Root opened={railOpen} onClose={closeRail} size={250} padding={0} lockScroll={false}>
        <Drawer.Overlay />
        <Drawer.Content aria-label={say("rail.label")}>
          <Drawer.Body>
            <Rail onLeave={closeRail} />
          </Drawer.Body>
        </Drawer.Content>
      </Drawer.Root>
      <div className="main-side">
        <Header openRail={() => setRailOpen(true)} />
        <main id="content" tabIndex={-1}>
          <Suspense fallback={null}>
            <Outlet />
          </Suspense>
        </main>
      </div>
      <ScrollRestoration />
    </div>
  );
}
