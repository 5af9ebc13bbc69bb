// What a map shows of a year and a layer: sources are added once, the years cut and never flicker.

export const OPACITY = 0.9;
const NUMBERS = new Set(["spread", "change_probability"]);
const BLANK = { version: 8, sources: {}, layers: [{ id: "ground", type: "background", paint: {} }] };

export function emptyStyle(data, colour) {
  const style = structuredClone(BLANK);
  style.layers[0].paint["background-color"] = colour;
  if (data.basemap) {
    style.sources.basemap = { type: "raster", tiles: [data.basemap], tileSize: 256 };
    style.layers.push({ id: "basemap", type: "raster", source: "basemap" });
  }
  return style;
}

// Where there is nothing else to see, the land of the Earth tells where one is.
export function showLand(map, data) {
  if (data.land && !map.getSource("land")) {
    map.addSource("land", { type: "geojson", data: `${location.origin}${data.land}` });
    map.addLayer({ id: "land", type: "fill", source: "land", paint: { "fill-color": "#7d9468", "fill-opacity": 0.4 } }, map.getLayer("basemap") ? "basemap" : "pictures-end");
  }
  if (map.getLayer("land")) map.setLayoutProperty("land", "visibility", data.land ? "visible" : "none");
}

// The rasters that make up a year in a layer, from the lowest to the highest.
export function shownIn(data, year, layer) {
  const frame = data.frames.find((one) => one.year === year);
  if (frame === undefined) return [];
  if (!frame.forecast) return [["observed", year]];
  if (layer === "observed") return frame.observed ? [["observed", year]] : [];
  if (NUMBERS.has(layer)) return [["observed", data.start], [layer, year]];
  return [[layer, year]];
}

export class Rasters {
  constructor(map) {
    this.map = map;
    this.added = new Set();
    this.shown = [];
    this.opacity = OPACITY;
  }

  // Loads all years of a layer, so that playing them needs no request.
  preload(data, layer) {
    const wanted = data.frames.flatMap((frame) => shownIn(data, frame.year, layer));
    // Numbers lie over pictures, however late a picture is added.
    for (const [name, year] of wanted) this.add(data, name, year);
  }

  add(data, name, year) {
    const key = `${name}/${year}`;
    if (this.added.has(key)) return key;
    const picture = data.pictures?.[year];
    const source = picture
      ? { type: "image", url: picture.url, coordinates: picture.corners }
      : {
          type: "raster",
          tiles: [`${location.origin}${data.base}/tiles/${data.run}/${key}/{z}/{x}/{y}.png`],
          tileSize: 256,
          bounds: data.bounds,
          minzoom: data.zooms[0],
          maxzoom: data.zooms[1],
        };
    this.map.addSource(key, source);
    const above = NUMBERS.has(name) ? "numbers-end" : "pictures-end";
    this.map.addLayer(
      {
        id: key,
        type: "raster",
        source: key,
        paint: {
          "raster-opacity": 0,
          "raster-opacity-transition": { duration: 0, delay: 0 },
          "raster-fade-duration": 0,
          "raster-resampling": "nearest",
        },
      },
      above,
    );
    this.added.add(key);
    return key;
  }

  show(data, year, layer) {
    const keys = shownIn(data, year, layer).map(([name, when]) => this.add(data, name, when));
    for (const key of keys) {
      const over = NUMBERS.has(key.split("/")[0]);
      this.map.setPaintProperty(key, "raster-opacity", over ? this.opacity : 1);
    }
    for (const key of this.shown) {
      if (!keys.includes(key)) this.map.setPaintProperty(key, "raster-opacity", 0);
    }
    this.shown = keys;
  }

  ready(data, year, layer) {
    return shownIn(data, year, layer).every(([name, when]) => {
      const key = `${name}/${when}`;
      return this.added.has(key) && this.map.isSourceLoaded(key);
    });
  }

  clear() {
    for (const key of this.added) {
      this.map.removeLayer(key);
      this.map.removeSource(key);
    }
    this.added.clear();
    this.shown = [];
  }
}

// Marks in the order of layers: pictures, numbers, drawings.
export function addMarks(map) {
  for (const id of ["pictures-end", "numbers-end"]) {
    map.addLayer({ id, type: "background", layout: { visibility: "none" } });
  }
}
