// An area drawn on the map: a box of two corners, a polygon of many, cells, or what is seen.

const EMPTY = { type: "FeatureCollection", features: [] };

function outline(points, closed) {
  const geometry = closed
    ? { type: "Polygon", coordinates: [[...points, points[0]]] }
    : { type: "LineString", coordinates: points };
  return { type: "Feature", properties: {}, geometry };
}

function box([west, south], [east, north]) {
  return [[west, south], [east, south], [east, north], [west, north]];
}

export class Drawing {
  constructor(map, colour, done) {
    this.map = map;
    this.done = done;
    this.kind = null;
    this.points = [];
    this.area = null;
    map.addSource("area", { type: "geojson", data: EMPTY });
    map.addLayer({ id: "area-fill", type: "fill", source: "area", paint: { "fill-color": colour, "fill-opacity": 0.12 } });
    map.addLayer({ id: "area-halo", type: "line", source: "area", paint: { "line-color": "#fff", "line-width": 5, "line-opacity": 0.8 } });
    map.addLayer({ id: "area-line", type: "line", source: "area", paint: { "line-color": colour, "line-width": 2.5 } });
    map.on("mousemove", (event) => this.kind && this.kind !== "cells" && this.sketch(event.lngLat.toArray()));
    map.on("dblclick", (event) => {
      if (this.kind !== "polygon") return;
      event.preventDefault();
      this.finish();
    });
  }

  get active() {
    return this.kind !== null;
  }

  start(kind) {
    this.kind = kind;
    this.points = [];
    this.cells = new Map();
    this.map.getCanvas().style.cursor = "crosshair";
    this.map.doubleClickZoom.disable();
    this.sketch();
  }

  click(point) {
    const last = this.points.at(-1);
    if (last && last[0] === point[0] && last[1] === point[1]) return;
    this.points.push(point);
    if (this.kind === "box" && this.points.length === 2) {
      this.points = box(...this.points);
      this.finish();
    } else this.sketch();
  }

  // Takes a cell into the area, or out of it.
  toggle({ row, col, outline }) {
    if (outline === null) return;
    const name = `${row},${col}`;
    if (!this.cells.delete(name)) this.cells.set(name, [outline]);
    const geometry = { type: "MultiPolygon", coordinates: [...this.cells.values()] };
    this.area = this.cells.size > 0 ? { type: "Feature", properties: {}, geometry } : null;
    this.done(this.area);
  }

  sketch(pointer) {
    const points = pointer ? [...this.points, pointer] : this.points;
    if (points.length < 2) return this.set(null);
    const drawn = this.kind === "box" ? box(points[0], points[1]) : points;
    this.put(outline(drawn, drawn.length > 2));
  }

  finish() {
    if (this.points.length < 3) return this.stop();
    const points = this.points;
    this.stop();
    this.done(outline(points, true));
  }

  // Ends drawing, and shows the area there was.
  stop() {
    this.kind = null;
    this.points = [];
    this.map.getCanvas().style.cursor = "";
    this.map.doubleClickZoom.enable();
    this.set(this.area);
  }

  takeView() {
    const seen = this.map.getBounds();
    this.done(outline(box([seen.getWest(), seen.getSouth()], [seen.getEast(), seen.getNorth()]), true));
  }

  set(area) {
    if (this.kind === null) this.area = area;
    this.put(area ?? EMPTY);
  }

  put(shape) {
    this.map.getSource("area").setData(shape);
  }
}
