// Units pinned for comparison, kept in session storage.

import { showMessage } from "../../shared/message.js";
import { model } from "../model.js";

/** Maximum number of pinned units. */
export const MOST_PINS = 8;

class Pins {
  /** `key` is the key in session storage. */
  constructor(key) {
    this.key = key;
    this.addresses = [];
    try {
      const stored = JSON.parse(sessionStorage.getItem(this.key) ?? "[]");
      if (Array.isArray(stored))
        this.addresses = stored.filter((item) => typeof item === "string").slice(0, MOST_PINS);
    } catch {
      // no or invalid storage: pins last as long as the page
    }
  }

  list() {
    return [...this.addresses];
  }

  has(address) {
    return this.addresses.includes(address);
  }

  /** Whether exactly these units are pinned, in this order. */
  equal(addresses) {
    return (
      addresses.length === this.addresses.length &&
      addresses.every((address, index) => address === this.addresses[index])
    );
  }

  /** Pin or unpin a unit, with a message. */
  toggle(address) {
    if (this.has(address)) {
      this.replace(this.addresses.filter((pinned) => pinned !== address));
      showMessage(`${address} unpinned`);
    } else if (this.addresses.length >= MOST_PINS) {
      showMessage(`At most ${MOST_PINS} units can be pinned; unpin one first`);
    } else {
      this.replace([...this.addresses, address]);
      showMessage(`${address} pinned`);
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

/** The pins of the model of this page. */
export const pins = new Pins(`featviz-pins:${model.name}:${model.weights}`);
