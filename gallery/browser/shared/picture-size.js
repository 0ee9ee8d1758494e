/** Width at which a picture of so many pixels is shown: the whole multiple nearest to the wish. */
export const wholeWidth = (pixels, wish) => pixels * Math.max(1, Math.round(wish / pixels));

/** Width at which a picture fits into a box, a whole multiple of its pixels if it can be. */
export function fittingWidth([, width, height], across, down) {
  const scale = Math.min(across / width, down / height);
  return width * (scale > 1 ? Math.floor(scale) : scale);
}
