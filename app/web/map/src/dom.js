// Elements, made in one line each.

export function make(tag, attributes = {}, ...children) {
  const space = SVG.has(tag) ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml";
  const element = document.createElementNS(space, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const SVG = new Set(["svg", "path", "line", "polyline", "polygon", "circle", "rect", "text", "g"]);

const PATHS = {
  play: "M8 5v14l11-7z",
  pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  loop: "M7 7h10v3l4-4-4-4v3H5v6h2zm10 10H7v-3l-4 4 4 4v-3h12v-6h-2z",
  swipe: "M11 2h2v20h-2zM3 6h6v12H3zM15 6h6v2h-4v8h4v2h-6z",
  box: "M3 5h18v14H3zm2 2v10h14V7z",
  polygon: "M12 2l9 7-3.5 11h-11L3 9zm0 2.5L5.400 9.800 8 18h8l2.600-8.200z",
  cells: "M3 3h8v8H3zm10 0h8v8h-8zm2 2v4h4V5zM3 13h8v8H3zm2 2v4h4v-4zm8-2h8v8h-8z",
  view: "M3 3h6v2H5v4H3zm12 0h6v6h-2V5h-4zM3 15h2v4h4v2H3zm16 0h2v6h-6v-2h4z",
  clear: "M6 4.600 12 10.600 18 4.600 19.400 6 13.400 12 19.400 18 18 19.400 12 13.400 6 19.400 4.600 18 10.600 12 4.600 6z",
  save: "M11 3h2v9l3-3 1.400 1.400L12 15.800 6.600 10.400 8 9l3 3zM4 18h16v2H4z",
  home: "M12 3l9 8h-3v9h-5v-6h-2v6H6v-9H3z",
};

export function icon(name) {
  return make("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, make("path", { d: PATHS[name] }));
}

export function button(name, label, onclick, more = {}) {
  return make("button", { type: "button", title: label, "aria-label": label, onclick, ...more }, icon(name));
}

// On a phone the sidebar covers the map: it goes when there is something new to see.
export function makeRoom() {
  if (innerWidth < 768) document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click();
}
