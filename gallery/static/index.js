"use strict";

function modelCard(model) {
  const strip = model.strip.map((row) =>
    element("img", { src: `${model.folder}/thumbs/${row}.webp`, alt: "", width: 96, height: 96, loading: "lazy" }),
  );
  const facts = [
    counted(model.units, "unit"),
    counted(model.pictures, "picture"),
    counted(model.sites, "layer"),
    ...(model.failures ? [`${model.failures.toLocaleString("en")}\u00a0failed`] : []),
  ];
  return element(
    "li",
    {},
    element(
      "a",
      { href: model.page, class: "card" },
      element("h2", {}, model.name),
      element("p", {}, listed([model.weights, ...facts])),
      element("div", { class: "strip" }, strip),
    ),
  );
}

document.getElementById("models").append(...featviz.models.map(modelCard));
