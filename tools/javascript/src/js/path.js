// The path module of Node.js, for POSIX paths.
($) => {
  const check = (path) => {
    if (typeof path !== "string") throw new TypeError(`a path is a string, not ${typeof path}`);
    return path;
  };
  const squeeze = (path, absolute) => {
    const parts = [];
    for (const part of path.split("/")) {
      if (part === "" || part === ".") continue;
      if (part !== "..") parts.push(part);
      else if (parts.length && parts[parts.length - 1] !== "..") parts.pop();
      else if (!absolute) parts.push("..");
    }
    return parts.join("/");
  };
  const path = {
    sep: "/",
    delimiter: ":",
    isAbsolute: (text) => check(text).startsWith("/"),
    normalize(text) {
      const absolute = path.isAbsolute(text);
      const clean = squeeze(text, absolute);
      const tail = text.endsWith("/") && clean ? "/" : "";
      return `${absolute ? "/" : ""}${clean}${tail}` || ".";
    },
    join: (...parts) => path.normalize(parts.filter((part) => check(part)).join("/") || "."),
    resolve(...parts) {
      let out = "";
      for (const part of [$.use("process").process.cwd(), ...parts]) {
        if (check(part)) out = path.isAbsolute(part) ? part : `${out}/${part}`;
      }
      return `/${squeeze(out, true)}`;
    },
    relative(from, to) {
      const [a, b] = [path.resolve(from).split("/").filter(Boolean), path.resolve(to).split("/").filter(Boolean)];
      let same = 0;
      while (same < Math.min(a.length, b.length) && a[same] === b[same]) same++;
      return [...a.slice(same).map(() => ".."), ...b.slice(same)].join("/");
    },
    dirname(text) {
      const clean = check(text).replace(/\/+$/, "");
      const at = clean.lastIndexOf("/");
      if (at < 0) return text.startsWith("/") ? "/" : ".";
      return clean.slice(0, at).replace(/\/+$/, "") || "/";
    },
    basename(text, suffix = "") {
      const base = check(text).replace(/\/+$/, "").split("/").pop();
      return suffix && base !== suffix && base.endsWith(suffix) ? base.slice(0, -suffix.length) : base;
    },
    extname(text) {
      const base = path.basename(text);
      const at = base.lastIndexOf(".");
      return at > 0 ? base.slice(at) : "";
    },
    parse(text) {
      const base = path.basename(text), ext = path.extname(text);
      const dir = text.includes("/") ? path.dirname(text) : "";
      return { root: path.isAbsolute(text) ? "/" : "", dir, base, ext, name: ext ? base.slice(0, -ext.length) : base };
    },
    format({ root = "", dir, base, name = "", ext = "" }) {
      const last = base ?? `${name}${ext && !ext.startsWith(".") ? "." : ""}${ext}`;
      return dir ? (dir === root ? `${dir}${last}` : `${dir}/${last}`) : `${root}${last}`;
    },
    toNamespacedPath: (text) => text,
  };
  path.posix = path;
  return { path };
}
