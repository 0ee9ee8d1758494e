// HTML of a unit for another page, such as a blog post: pictures as data URLs, styles on the elements,
// no script, and no color, so that it fits into light and dark pages.

/**
 * HTML of a unit. `pictures` is a list of {url, side}, where `side` names that of a pair, or is "";
 * `width` and `height` are those that a picture is shown at, and `crisp` is whether it is enlarged.
 * `link` is the URL of the unit's page, or null.
 */
export function embedCode(unit, pictures, { width, height, crisp }) {
  const { address, model, weights, headline, activation, link } = unit;
  const name = `<code>${escaped(address)}</code>`;
  const facts = [...(headline ? [escaped(headline)] : []), `activation ${escaped(activation)}`];
  const style = `display:block;width:100%;height:auto${crisp ? ";image-rendering:pixelated" : ""}`;
  const images = pictures.map(({ url, side }) => {
    const alt = `Feature visualization of ${address} of ${model}${side ? `, ${side}` : ""}${headline ? `: ${headline}` : ""}`;
    return `<span style="flex:1"><img src="${escaped(url)}" alt="${escaped(alt)}" width="${width}" height="${height}" style="${style}">${side}</span>`;
  });
  const total = width * pictures.length + GAP * (pictures.length - 1);
  return [
    `<figure style="width:${total}px;max-width:100%;margin:1em 0;padding:0;color:inherit;font:14px/1.45 system-ui,sans-serif">`,
    `<span style="display:flex;gap:${GAP}px">${images.join("")}</span>`,
    `<figcaption style="margin-top:6px;padding:0;color:inherit;font:inherit;overflow-wrap:anywhere">`,
    `${link ? `<a href="${escaped(link)}" style="color:inherit">${name}</a>` : name} of ${escaped(model)} (${escaped(weights)})<br>`,
    `${facts.join(" \u00b7 ")}</figcaption>`,
    "</figure>",
    "",
  ].join("\n");
}

const GAP = 8; // pixels between the pictures of a pair

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

const escaped = (text) => text.replace(/[&<>"']/g, (character) => ENTITIES[character]);
