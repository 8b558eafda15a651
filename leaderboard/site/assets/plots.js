"use strict";
// Draw the figures in the data of a page with plotly, in the colours of the style sheet.

(() => {
  const data = window.vnnbench?.figures ?? [];
  const hidden = new Set();
  const chosen = new Map(); // the two settings of each figure of a pair

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (series) => style(`--s${series.colour}`);

  const axis = (title, more) => ({
    title: { text: title, standoff: 10, font: { size: 13, color: style("--muted") } },
    gridcolor: style("--line"), linecolor: style("--line"), zeroline: false, ticks: "", automargin: true,
    tickfont: { color: style("--muted"), size: 12 }, ...more,
  });
  // Mark powers of ten, over less than two decades 2 and 5 too, and over less than one decade some more.
  const logAxis = (title, values, more) => {
    const [least, most] = values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, 0]);
    const digits = most / least < 8 ? [1, 1.5, 2, 3, 5, 7] : most / least < 100 ? [1, 2, 5] : [1];
    const powers = Array.from({ length: 24 }, (_, place) => place - 12);
    const tickvals = powers.flatMap((power) => digits.map((digit) => Number(`${digit}e${power}`)));
    return axis(title, { type: "log", tickmode: "array", tickvals, exponentformat: "none", tickformat: "~r", ...more });
  };
  const layout = (more) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
    font: { family: getComputedStyle(document.body).fontFamily, color: style("--ink"), size: 13 },
    hoverlabel: { bgcolor: style("--raised"), bordercolor: style("--line"), font: { color: style("--ink"), size: 12 }, align: "left" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: style("--muted"), activecolor: style("--accent") },
    margin: { l: 8, r: 12, t: 12, b: 8 }, dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", ...more,
  });

  const named = (figure, places) => places.map((place) => figure.names[place]);

  const steps = (figure) => {
    const value = figure.percent ? "%{y:.1%}" : "%{y}";
    const traces = figure.series.map((series) => {
      const last = figure.end && series.x.length ? figure.end : null;
      return {
        x: last ? [...series.x, last] : series.x, y: last ? [...series.y, series.y.at(-1)] : series.y,
        customdata: named(figure, series.names), pages: series.names.map((place) => figure.pages[place]),
        mode: series.x.length > 30 ? "lines" : "lines+markers", marker: { size: 5, symbol: series.marker },
        line: { shape: "hv", width: 2.25, dash: series.dash, color: colour(series) }, name: series.name, setting: series.setting,
        hovertemplate: `<b>${series.name}</b><br>${value} at %{x:.3~g}${figure.percent ? "×" : " s"}<br>%{customdata}<extra></extra>`,
      };
    });
    const y = figure.percent ? { tickformat: ".0%", range: [-0.02, 1.04] } : { rangemode: "tozero" };
    return [traces, layout({ xaxis: logAxis(figure.x, traces.flatMap(({ x }) => x)), yaxis: axis(figure.y, y) })];
  };

  const diagonal = (low, high) => ({ type: "line", x0: low, y0: low, x1: high, y1: high, layer: "below", line: { color: style("--muted"), width: 1, dash: "dot" } });
  const square = (low, limit, x, y, traces) => {
    const range = [Math.log10(low) - 0.1, Math.log10(limit) + 0.12];
    const border = { layer: "below", line: { color: style("--line"), width: 1.5 }, type: "line" };
    return [traces, layout({
      xaxis: logAxis(x, [low, limit], { range, constrain: "domain" }), yaxis: logAxis(y, [low, limit], { range, scaleanchor: "x", constrain: "domain" }),
      shapes: [diagonal(low / 2, limit * 1.3), { ...border, x0: limit, x1: limit, y0: low / 2, y1: limit * 1.3 }, { ...border, x0: low / 2, x1: limit * 1.3, y0: limit, y1: limit }],
    })];
  };
  const shortest = (lists, limit) => Math.min(limit / 10, ...lists.map((list) => list.reduce((least, value) => Math.min(least, value), limit))) || 1e-3;
  const dots = (series, more) => ({
    mode: "markers", type: "scatter", marker: { color: colour(series), size: 8, opacity: 0.75, symbol: series.marker, line: { width: 0.7, color: style("--ground") } },
    cliponaxis: false, setting: series.setting, name: series.name, ...more,
  });

  const scatter = (figure) => {
    const low = Math.max(shortest(figure.series.flatMap((series) => [series.x, series.y]), figure.limit), 1e-3);
    const traces = figure.series.map((series) => dots(series, {
      x: series.x.map((value) => Math.max(value, low)), y: series.y.map((value) => Math.max(value, low)),
      customdata: named(figure, series.names), pages: series.names.map((place) => figure.pages[place]),
      hovertemplate: `<b>${series.name}</b><br>%{customdata}<br>across %{x:.3~g} s, up %{y:.3~g} s<extra></extra>`,
    }));
    return square(low, figure.limit, figure.x, figure.y, traces);
  };

  const pair = (figure) => {
    const [across, up] = chosen.get(figure).map((place) => figure.series[place]);
    const low = Math.max(shortest([across.seconds, up.seconds], figure.limit), 1e-3);
    const neutral = style("--muted");
    const marks = across.seconds.map((seconds, row) => {
      if (seconds === up.seconds[row]) return neutral;
      return seconds < up.seconds[row] ? colour(across) : colour(up);
    });
    const trace = dots(up, {
      x: across.seconds.map((value) => Math.max(value, low)), y: up.seconds.map((value) => Math.max(value, low)),
      customdata: named(figure, figure.points), pages: figure.points.map((place) => figure.pages[place]),
      hovertemplate: `%{customdata}<br>${across.name} %{x:.3~g} s<br>${up.name} %{y:.3~g} s<extra></extra>`,
    });
    trace.marker.color = marks;
    trace.marker.symbol = "circle";
    return square(low, figure.limit, `seconds, ${across.name}`, `seconds, ${up.name}`, [trace]);
  };

  const progress = (figure) => {
    const traces = figure.series.map((series) => ({
      x: series.x.map((value) => Math.max(value, 1e-3)), y: series.y, mode: series.what === "value" ? "lines+markers" : "lines", marker: { size: 6, symbol: series.marker },
      name: series.name, setting: series.setting, run: series.run,
      line: { shape: "hv", width: series.what === "value" ? 2.5 : 1.6, dash: series.what === "value" ? series.dash : "dot", color: colour(series) },
      hovertemplate: `<b>${series.name}</b><br>${series.what} %{y:.6~g} at %{x:.3~g} s<extra></extra>`,
    }));
    const shapes = figure.threshold === null ? [] : [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: figure.threshold, y1: figure.threshold, layer: "between", line: { color: style("--muted"), width: 1.75, dash: "dash" } }];
    return [traces, layout({ xaxis: logAxis(figure.x, traces.flatMap(({ x }) => x)), yaxis: axis(figure.y, { range: figure.range }), shapes })];
  };

  const KINDS = { steps, scatter, pair, progress };
  const config = { responsive: true, displayModeBar: "hover", displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d", "zoomIn2d", "zoomOut2d"] };

  const draw = (figure) => {
    const place = document.getElementById(`plot-${figure.id}`);
    if (!place) return;
    const [traces, own] = KINDS[figure.kind](figure);
    for (const trace of traces) trace.visible = figure.kind === "pair" || !hidden.has(trace.setting);
    Plotly.react(place, traces, own, config);
    if (place.dataset.live) return;
    place.dataset.live = "yes";
    place.on("plotly_click", (event) => {
      const { data: trace, pointNumber } = event.points[0];
      if (trace.pages?.[pointNumber]) location.href = trace.pages[pointNumber];
      else if (trace.run) location.hash = encodeURIComponent(trace.run);
    });
  };
  const drawAll = () => data.forEach(draw);

  for (const figure of data.filter(({ kind }) => kind === "pair")) {
    chosen.set(figure, [...figure.chosen]);
    ["x", "y"].forEach((which, side) => {
      const select = document.getElementById(`${figure.id}-${which}`);
      // Names are escaped for plotly; a select takes plain text.
      const plain = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
      figure.series.forEach((series, place) => select.add(new Option(plain(series.name), String(place))));
      select.value = String(figure.chosen[side]);
      select.addEventListener("change", () => {
        chosen.get(figure)[side] = Number(select.value);
        draw(figure);
      });
    });
  }
  document.querySelectorAll(".legend button").forEach((button) => {
    button.addEventListener("click", () => {
      const number = Number(button.dataset.setting);
      if (!hidden.delete(number)) hidden.add(number);
      document.querySelectorAll(`.legend button[data-setting="${number}"]`).forEach((other) => {
        other.setAttribute("aria-pressed", String(!hidden.has(number)));
      });
      drawAll();
    });
  });
  document.addEventListener("vnnbench-theme", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  drawAll();
})();
