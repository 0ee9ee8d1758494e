/** The whole multiple of a picture's width that is nearest to a target width. */
export const wholeWidth = (pixels, target) => pixels * Math.max(1, Math.round(target / pixels));

/** Width at which a picture fits into a box; a whole multiple of its own if enlarged. */
export function fittingWidth([width, height], across, down) {
  const scale = Math.min(across / width, down / height);
  return width * (scale > 1 ? Math.floor(scale) : scale);
}
