// The address of the page says what is seen: it is the link to share.

export function readAddress(data) {
  const query = new URLSearchParams(location.search);
  if (query.get("run") !== data.run) return {};
  const view = (query.get("view") ?? "").split(",").map(Number);
  return {
    year: query.has("year") ? Number(query.get("year")) : undefined,
    layer: query.get("layer") ?? undefined,
    view: view.length === 3 && view.every(Number.isFinite) ? view : undefined,
  };
}

export function writeAddress({ run, year, layer, view }) {
  const query = new URLSearchParams(location.search);
  query.set("run", run);
  query.set("year", year);
  query.set("layer", layer);
  query.set("view", view.map((value, at) => value.toFixed(at === 2 ? 2 : 5)).join(","));
  history.replaceState(history.state, "", `${location.pathname}?${query}`.replaceAll("%2C", ","));
}
