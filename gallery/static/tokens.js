"use strict";

function tokenCard(section, [address, [figure], share, likeness, count, detail], site) {
  const told = () => [element("b", {}, addressOf(section, address)), listed(["", `median ${percent(share)}`, `likeness ${hundredths(likeness)}`])];
  const rows = async () => {
    const [tokens, optimum, reached, shares, similarity] = await entryOf("tokens", detail);
    return tokens.map((token, i) => [
      addressOf(section, `${address}@${token}`, String(token)),
      measured(optimum[i]),
      measured(reached[i]),
      percent(shares[i]),
      hundredths(similarity[i]),
    ]);
  };
  return element(
    "figure",
    { class: "token-map", tabindex: "-1" },
    zoomable(figure, wholeWidth(figure[1], 112), `${address}: median ${percent(share)}`, told),
    element(
      "figcaption",
      {},
      element("b", {}, addressOf(section, address, address.slice(site.length))),
      element("span", {}, `median ${percent(share)}`),
      element("span", { class: "quiet" }, `likeness ${hundredths(likeness)}`),
    ),
    tableOf(counted(count, "token"), ["token", "optimum", "reached", "share", "likeness"], rows),
  );
}

function tokensView(section, data) {
  return [
    sectionHead(
      "Token by token",
      "How far the picture over all patches sums up what a unit looks for at each of them: by how much it raises the value at a token above that on grey, as a share of what the picture made for that token does. ",
      legend(data.scale, 0, 1),
      " A patch is grey where no picture was made for it, or that one does no better than grey.",
    ),
    blocksOf(data.tokens, (block) => sitesOf(section, block, "unit", "token-maps", (entry, site) => tokenCard(section, entry, site))),
  ];
}
