import { svgElement } from "./dom.js";

// Outlines in a square of 16 units, drawn for this gallery.
const ICONS = {
  star: "M8 1.6 9.9 5.9 14.6 6.4 11.1 9.5 12.1 14.1 8 11.7 3.9 14.1 4.9 9.5 1.4 6.4 6.1 5.9Z",
  pin: "M5.2 1.8h5.6M6.2 1.8v4.4L3.9 9v.9h8.2V9L9.8 6.2V1.8M8 9.9v4.6",
  link: "M6.6 9.4 9.4 6.6M7.2 4.6 8.9 2.9a2.97 2.97 0 0 1 4.2 4.2L11.4 8.8M8.8 11.4 7.1 13.1a2.97 2.97 0 0 1-4.2-4.2L4.6 7.2",
  download: "M8 1.8v8.4M4.6 7 8 10.4 11.4 7M2.2 13.8h11.6",
  list: "M5.6 3.4h8.6M5.6 8h8.6M5.6 12.6h8.6M1.8 3.4h.9M1.8 8h.9M1.8 12.6h.9",
  code: "M5.4 4.2 1.8 8 5.4 11.8M10.6 4.2 14.2 8 10.6 11.8M9.2 2.6 6.8 13.4",
  cross: "M3.8 3.8 12.2 12.2M12.2 3.8 3.8 12.2",
  theme: "M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4ZM8 1.8v12.4M10 2.2v11.6M12 3.4v9.2",
  left: "M9.8 3 4.8 8 9.8 13",
  right: "M6.2 3 11.2 8 6.2 13",
};

/** A decorative icon; the button around it has a label. */
export const icon = (name) =>
  svgElement(
    "svg",
    {
      class: `icon icon-${name}`,
      viewBox: "0 0 16 16",
      width: 16,
      height: 16,
      "aria-hidden": "true",
    },
    svgElement("path", { d: ICONS[name] }),
  );
