// Units that are pinned to be compared, kept while the tab is open.

import { showMessage } from "../shared/message.js";
import { model } from "./model.js";

/** How many units may be pinned. */
export const MOST_PINS = 8;

class Pins {
  /** `key` is where the pins lie in the storage. */
  constructor(key) {
    this.key = key;
    this.addresses = [];
    try {
      const stored = JSON.parse(sessionStorage.getItem(this.key) ?? "[]");
      if (Array.isArray(stored))
        this.addresses = stored.filter((item) => typeof item === "string").slice(0, MOST_PINS);
    } catch {
      // refused or spoilt: pins last as long as the page
    }
  }

  list() {
    return [...this.addresses];
  }

  has(address) {
    return this.addresses.includes(address);
  }

  /** Whether just these are pinned, in this order. */
  are(addresses) {
    return (
      addresses.length === this.addresses.length &&
      addresses.every((address, place) => address === this.addresses[place])
    );
  }

  /** Pin what is not pinned, and the other way round; tell of it. */
  toggle(address) {
    if (this.has(address)) {
      this.replace(this.addresses.filter((pinned) => pinned !== address));
      showMessage(`${address} is no longer pinned`);
    } else if (this.addresses.length >= MOST_PINS) {
      showMessage(`${MOST_PINS} units are pinned, which is the most; unpin one first`);
    } else {
      this.replace([...this.addresses, address]);
      showMessage(`${address} is pinned`);
    }
  }

  replace(addresses) {
    this.addresses = addresses;
    try {
      sessionStorage.setItem(this.key, JSON.stringify(addresses));
    } catch {
      // as above
    }
    document.dispatchEvent(new Event("pins"));
  }
}

/** The pins of the model that the page shows. */
export const pins = new Pins(`featviz-pins:${model.name}:${model.weights}`);
