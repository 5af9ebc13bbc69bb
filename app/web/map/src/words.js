// Places and controls in the words and numbers of the language.

// What the map library says itself.
export function controlWords(texts) {
  return {
    "NavigationControl.ZoomIn": texts.zoom_in, "NavigationControl.ZoomOut": texts.zoom_out,
    "ScaleControl.Meters": texts.metres, "ScaleControl.Kilometers": texts.kilometres,
  };
}

export function placeShown({ lng, lat }, { texts, language }) {
  const digits = { minimumFractionDigits: 5, maximumFractionDigits: 5 };
  const shown = (value) => `${Math.abs(value).toLocaleString(language, digits)}°`;
  return `${shown(lat)} ${lat < 0 ? texts.south : texts.north}; ${shown(lng)} ${lng < 0 ? texts.west : texts.east}`;
}
