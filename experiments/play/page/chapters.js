// A section of a chapter of the course, of the Markdown that chapters are written in.

const chapters = JSON.parse($("chapters").textContent);

// The lines beneath a heading, up to the next.
function sectionOf(file, title) {
  const lines = chapters[file].split("\n"), begin = lines.indexOf(`## ${title}`) + 1;
  const length = lines.slice(begin).findIndex(line => line.startsWith("## "));
  return lines.slice(begin, begin + length);
}

// `code`, **bold**, *emphasis*, and of links their words.
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*]+\*|\[[^\]]+\]\([^)]*\))/).map(part =>
    part.startsWith("`") ? make("code", {}, part.slice(1, -1))
      : part.startsWith("**") ? make("b", {}, part.slice(2, -2))
      : /^\*.+\*$/.test(part) ? make("em", {}, part.slice(1, -1))
      : part.startsWith("[") ? part.replace(/^\[([^\]]+)\].*$/, "$1") : part);
}

function tableOf(lines) {
  const [head, , ...rows] = lines.map(line => line.replace(/^\||\|$/g, "").split("|").map(cell => cell.trim()));
  const row = (cells, tag) => make("tr", {}, cells.map(cell => make(cell ? tag : "td", tag === "th" && cell ? {scope: "col"} : {}, inline(cell))));
  return make("div", {class: "scroll", tabindex: 0, role: "group", "aria-label": `Table: ${head.filter(Boolean).join(", ")}`},
    make("table", {}, make("thead", {}, row(head, "th")), make("tbody", {}, rows.map(cells => row(cells, "td")))));
}

// The elements that lines of Markdown stand for. Pictures are left out: the playground is one.
function elementsOf(lines) {
  const rest = [...lines], elements = [];
  const take = belongs => {
    const taken = [];
    while (rest.length && belongs(rest[0])) taken.push(rest.shift());
    return taken;
  };
  while (rest.length) {
    if (rest[0].startsWith("```")) {
      rest.shift();
      const code = take(line => !line.startsWith("```"));
      rest.shift();
      elements.push(make("pre", {class: "scroll", tabindex: 0, role: "group", "aria-label": "Code, or what it prints"}, code.join("\n")));
    } else if (rest[0].startsWith("<details>")) {
      rest.shift();
      const inner = take(line => !line.startsWith("</details>"));
      rest.shift();
      const end = inner.findIndex(line => line.includes("</summary>"));
      const question = inner.slice(0, end + 1).join(" ").replace(/<\/?summary>/g, "");
      elements.push(make("details", {}, make("summary", {}, inline(question)), elementsOf(inner.slice(end + 1))));
    } else if (rest[0].startsWith("|")) {
      elements.push(tableOf(take(line => line.startsWith("|"))));
    } else if (!rest[0].trim() || rest[0].startsWith("![")) {
      rest.shift();
    } else {
      elements.push(make("p", {}, inline(take(line => line.trim() && !/^(```|\||!\[|<)/.test(line)).join(" "))));
    }
  }
  return elements;
}
