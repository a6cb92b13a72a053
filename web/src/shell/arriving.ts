/** Imported before the router reads the address. */
import { fromMlflow } from "./mlflowLinks";

const place = fromMlflow(window.location.hash);
if (place !== null) window.history.replaceState(null, "", place);
