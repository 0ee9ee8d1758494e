// The data of the model that the page shows.

import { data } from "../shared/data.js";

/** What `model.js` and `units.js` hold. */
export const { model, units: unitData } = data;

/** Folder of the data, seen from the page. */
export const dataFolder = document.body.dataset.folder;
