// A bar of a round number of arcsec, about a fifth of the window wide, near its lower left corner.
if (bar.data.scale.length) {
  const scale = bar.data.scale[0], width = x.end - x.start, height = y.end - y.start;
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600];
  let length = steps[0];
  for (const step of steps) { if (step <= 0.22 * width * scale) { length = step; } }
  const left = x.start + 0.05 * width, right = left + length / scale, low = y.start + 0.06 * height;
  const text = length >= 60 ? length / 60 + "′" : length + "″";
  const xs = [[left, right]], ys = [[low, low]];
  const old = bar.data.xs[0];
  if (old[0] !== left || old[1] !== right || bar.data.ys[0][0] !== low) {
    bar.data = {xs: xs, ys: ys, x: [(left + right) / 2], y: [low], text: [text], scale: [scale]};
  }
}
