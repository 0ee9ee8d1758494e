// Data of the model of this page.

import { data } from "./data.js";

/** Content of `model.js` and `units.js`. */
export const { model, units: unitData } = data;

/** Path of the data folder, relative to the page. */
export const dataFolder = document.body.dataset.folder;
