"use strict";
// The pictures of a number: grids of numbers, images with a frame, numbers as dots on a line, parts of a sum as bars.
const SVG = "http://www.w3.org/2000/svg";

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function shape(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// An image of the data, [width, height, hexadecimal digits], a pixel each, as a canvas.
function painted([width, height, digits]) {
  const canvas = make("canvas", { width, height }), context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  for (let k = 0; k < digits.length; k++) {
    pixels.data.fill(17 * parseInt(digits[k], 16), 4 * k, 4 * k + 3);
    pixels.data[4 * k + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

const draws = {
  grid(text, marks) {
    const table = make("table", { class: "grid" });
    text.split("|").forEach((line, i) => {
      const cells = line.split(" ").map((cell, j) => {
        const marked = marks.some(([row, column]) => row === i && column === j);
        return make("td", marked ? { class: "mark" } : {}, cell === "." ? "" : cell);
      });
      table.append(make("tr", {}, ...cells));
    });
    return table;
  },

  map(which, [top, left, height, width]) {
    // A window may reach over the rim: the frame is drawn where there are pixels.
    const map = maps[which], right = Math.min(left + width, map[0]), below = Math.min(top + height, map[1]);
    [left, top] = [Math.max(left, 0), Math.max(top, 0)];
    const size = Math.max(2, Math.min(14, Math.floor(126 / Math.max(map[0], map[1]))));
    const frame = make("div", { class: "frame", style: `left:${size * left}px;top:${size * top}px;width:${size * (right - left)}px;height:${size * (below - top)}px` });
    const canvas = painted(map);
    canvas.style.cssText = `width:${size * map[0]}px;height:${size * map[1]}px`;
    return make("div", { class: "map" }, canvas, frame);
  },

  dots([mean, deviation, ...values], mark) {
    const all = [...values, mean - deviation, mean + deviation, ...(mark === null ? [] : [mark])];
    const low = Math.min(...all), high = Math.max(...all), at = (v) => 12 + (236 * (v - low)) / (high - low || 1);
    const svg = shape("svg", { class: "dots", width: 260, height: 58, role: "img" });
    svg.append(shape("rect", { class: "band", x: at(mean - deviation), y: 6, width: at(mean + deviation) - at(mean - deviation), height: 26 }),
      shape("line", { class: "axis", x1: 6, x2: 254, y1: 19, y2: 19 }), shape("line", { class: "mean", x1: at(mean), x2: at(mean), y1: 3, y2: 35 }));
    for (const value of values) svg.append(shape("circle", { cx: at(value), cy: 19, r: 3 }));
    if (mark !== null) svg.append(shape("circle", { class: "mark", cx: at(mark), cy: 19, r: 6 }));
    for (const [value, anchor] of [[low, "start"], [high, "end"]]) {
      svg.append(shape("text", { x: at(value) + (anchor === "start" ? -6 : 6), y: 52, "text-anchor": anchor }, String(Number(value.toPrecision(3)))));
    }
    return svg;
  },

  bars(bars) {
    const most = Math.max(...bars.map(([, value]) => Math.abs(Number(value)))) || 1;
    const svg = shape("svg", { class: "bars", width: 320, height: 26 * bars.length + 4, role: "img" });
    bars.forEach(([name, value], k) => {
      const wide = (60 * Math.abs(value)) / most, y = 26 * k;
      svg.append(shape("rect", { class: k === bars.length - 1 ? "sum" : "", x: Number(value) < 0 ? 200 - wide : 200, y: y + 4, width: Math.max(wide, 1), height: 16 }),
        shape("text", { x: 0, y: y + 17 }, name), shape("text", { x: 320, y: y + 17, "text-anchor": "end" }, value));
    });
    svg.append(shape("line", { class: "axis", x1: 200, x2: 200, y1: 0, y2: 26 * bars.length }));
    return svg;
  },
};

// All parts of a picture, with signs between them, and its sentence.
function picture(parts) {
  const found = make("div", { class: "parts" });
  for (const [kind, sign, title, ...rest] of parts.slice(0, -1)) {
    const before = sign ? [make("span", { class: "sign" }, { "*": "·", "->": "→" }[sign] || sign)] : [];
    const colour = /dL\/|back/.test(title) ? "g" : "v";
    found.append(make("div", { class: "part" }, ...before, make("figure", { class: colour }, make("figcaption", {}, title), draws[kind](...rest))));
  }
  const said = parts[parts.length - 1];
  return said ? [found, make("p", { class: "soft" }, said)] : [found];
}
