// Entry point of the index page.

import { initTheme } from "../shared/theme.js";
import { data } from "../state/data.js";
import { modelCard, totals } from "./cards.js";
import { filterStrip } from "./filter-strips.js";
import { initUnitSearch } from "./find-unit.js";
import "../styles/index-page.css";

document.getElementById("totals").append(totals(data.models));
document.getElementById("models").append(...data.models.map(modelCard));
const filtered = data.models.filter((model) => model.filters !== null);
if (filtered.length > 1) {
  document.getElementById("filters").hidden = false;
  document.getElementById("strips").append(...filtered.map(filterStrip));
  // The browser resolved the hash before the section had content.
  if (location.hash === "#filters") document.getElementById("filters").scrollIntoView();
}
initUnitSearch();
initTheme();
