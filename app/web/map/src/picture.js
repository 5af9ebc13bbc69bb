// Pictures of the map: one before it is there, and one to take away.
import { make } from "./dom.js";

// Where pictures are drawn by software the map takes a second to start.
export function showPoster(map, host, { poster, frames, layers }, year, layer) {
  if (!poster || year !== frames.at(-1).year || layer !== layers[0].id) return;
  const still = make("img", { class: "poster", src: poster, alt: "" });
  host.after(still);
  map.once("idle", () => still.remove());
}

// A PNG, with the year and whether it is a forecast burnt in.
export function savePicture(canvas, caption, name) {
  const picture = document.createElement("canvas");
  picture.width = canvas.width;
  picture.height = canvas.height;
  const pen = picture.getContext("2d");
  pen.drawImage(canvas, 0, 0);
  const size = Math.max(16, Math.round(canvas.height / 28));
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.fillStyle = "rgb(0 0 0 / 70%)";
  pen.fillRect(0, 0, pen.measureText(caption).width + 1.4 * size, 1.9 * size);
  pen.fillStyle = "#fff";
  pen.fillText(caption, 0.7 * size, 1.3 * size);
  picture.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
}
