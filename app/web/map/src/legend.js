// The colours of numbers, in steps, with the slider of their opacity.
import { make } from "./dom.js";

export function legendParts({ colours, ticks, unit }, texts, slider) {
  return [
    make("div", { class: "unit" }, unit),
    make("div", { class: "bars" }, ...colours.map((colour) => make("i", { style: `background:${colour}` }))),
    make("div", { class: "ticks" }, ...ticks.map((tick) => make("span", {}, tick))),
    make("label", {}, texts.opacity, slider),
  ];
}
