// What follows the pointer: a radius lights its ellipse, a pixel says where it is.
// Sources come as arguments: profile, rings (ellipses of all radii), lit, row, words; of the image also base (pixels),
// every and shown (the attention of all radii, and of the lit one), grid (where they lie in the file), map (which radius is nearest), sky, cursor.

function light(k) {
  const p = profile.data, e = rings.data;
  if (k < 0 || k >= p.sma.length || e.xs[k] === undefined) { return; }
  lit.data = {xs: [e.xs[k]], ys: [e.ys[k]]};
  const all = every.data;
  if (all.x.length > k) {
    shown.data = {x: all.x[k], y: all.y[k], alpha: all.alpha[k], side: Array(all.x[k].length).fill(all.side[k])};
  }
  const one = {};
  for (const name of Object.keys(p)) { one[name] = [p[name][k]]; }
  row.data = one;
  const say = (value, digits, unit) => Number.isFinite(value) ? value.toFixed(digits) + unit : "–";
  const error = Number.isFinite(p.mu_err[k]) ? " ± " + p.mu_err[k].toFixed(2) : "";
  words.text = "<b>" + say(p.sma[k], 2, "″") + "</b> &ensp; μ = " + say(p.mu[k], 2, "") + error +
    " &ensp; 1 − b/a = " + say(p.ellipticity[k], 3, "") + " &ensp; PA = " + say(p.pa[k], 1, "°") +
    " &ensp; m(&lt; sma) = " + say(p.growth[k], 2, "");
}

function nearest(sma) {
  const all = profile.data.sma;
  let best = -1, least = Infinity;
  for (let k = 0; k < all.length; k++) {
    const off = Math.abs(Math.log(all[k] / sma));
    if (off < least) { least = off; best = k; }
  }
  return best;
}

function sexagesimal(value, digits) {
  const width = digits + 3;
  let seconds = Math.round(Math.abs(value) * 3600 * 10 ** digits) / 10 ** digits;
  const whole = Math.floor(seconds / 3600);
  seconds -= whole * 3600;
  const minutes = Math.floor(seconds / 60);
  const rest = (seconds - minutes * 60).toFixed(digits).padStart(width, "0");
  return String(whole).padStart(2, "0") + ":" + String(minutes).padStart(2, "0") + ":" + rest;
}

function between(grid, size, u, v) {
  // Linear between the points of a grid of size x size over the unit square.
  const x = Math.min(Math.max(u, 0), 1) * (size - 1), y = Math.min(Math.max(v, 0), 1) * (size - 1);
  const i = Math.min(Math.floor(x), size - 2), j = Math.min(Math.floor(y), size - 2), a = x - i, b = y - j;
  return (1 - a) * (1 - b) * grid[j * size + i] + a * (1 - b) * grid[j * size + i + 1] +
    (1 - a) * b * grid[(j + 1) * size + i] + a * b * grid[(j + 1) * size + i + 1];
}

function place(x, y) {
  const b = base.data, m = map.data;
  if (!b.raw.length || !grid.data.file.length) { return; }
  const u = (x - b.x[0]) / b.dw[0], v = (y - b.y[0]) / b.dh[0];
  const f = grid.data.file[0], xf = f[0] * x + f[1] * y + f[4], yf = f[2] * x + f[3] * y + f[5];
  let text = "x = " + xf.toFixed(1) + ", y = " + yf.toFixed(1);
  const s = sky.data;
  if (s.ra.length) {
    const n = s.size[0], w = s.window[0], p = (x - w[0]) / w[2], q = (y - w[1]) / w[3];
    const ra = ((between(s.ra[0], n, p, q) % 360) + 360) % 360, dec = between(s.dec[0], n, p, q);
    text += " &ensp; " + sexagesimal(ra / 15, 2) + " " + (dec < 0 ? "−" : "+") + sexagesimal(dec, 1);
  }
  if (u >= 0 && u < 1 && v >= 0 && v < 1) {
    const [rows, columns] = [b.rows[0], b.columns[0]];
    const value = b.raw[0][Math.floor(v * rows) * columns + Math.floor(u * columns)];
    text += " &ensp; " + (Number.isFinite(value) ? value.toPrecision(4) : "masked");
  }
  cursor.text = text;
  if (m.index.length) {
    const w = m.window[0], [n, k] = m.shape[0], p = (x - w[0]) / w[2], q = (y - w[1]) / w[3];
    if (p >= 0 && p < 1 && q >= 0 && q < 1) { light(m.index[0][Math.floor(q * n) * k + Math.floor(p * k)]); }
  }
}
