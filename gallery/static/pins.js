"use strict";

// Units that are pinned to be compared: kept while the tab is open, shown in a tray.

const PINS = { most: 8, key: `featviz-pins:${featviz.model.name}:${featviz.model.weights}` };

class Pins {
  constructor() {
    this.addresses = [];
    try {
      const stored = JSON.parse(sessionStorage.getItem(PINS.key) ?? "[]");
      if (Array.isArray(stored)) this.addresses = stored.filter((item) => typeof item === "string").slice(0, PINS.most);
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
    return addresses.length === this.addresses.length && addresses.every((address, place) => address === this.addresses[place]);
  }

  /** Pin what is not pinned, and the other way round; tell of it. */
  toggle(address) {
    if (this.has(address)) {
      this.replace(this.addresses.filter((pinned) => pinned !== address));
      say(`${address} is no longer pinned`);
    } else if (this.addresses.length >= PINS.most) {
      say(`${PINS.most} units are pinned, which is the most; unpin one first`);
    } else {
      this.replace([...this.addresses, address]);
      say(`${address} is pinned`);
    }
  }

  replace(addresses) {
    this.addresses = addresses;
    try {
      sessionStorage.setItem(PINS.key, JSON.stringify(addresses));
    } catch {
      // as above
    }
    document.dispatchEvent(new Event("pins"));
  }
}

const pins = new Pins();
