#!/bin/bash
# Turns a little Markdown into HTML.
cat > page.md <<'MD'
# Title & more

Some *text* with `code <b>` and a [link](http://x.y/z?a=1).
It goes on here.

- one
- two **bold**

## Next

1 < 2

```
raw *code*
  stays
```
MD
awk '
function escape(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); gsub(/>/, "\\&gt;", s); return s }
function inline(s,   a) {
    s = escape(s)
    while (match(s, /`[^`]+`/))
        s = substr(s, 1, RSTART - 1) "<code>" substr(s, RSTART + 1, RLENGTH - 2) "</code>" substr(s, RSTART + RLENGTH)
    while (match(s, /\*\*[^*]+\*\*/))
        s = substr(s, 1, RSTART - 1) "<b>" substr(s, RSTART + 2, RLENGTH - 4) "</b>" substr(s, RSTART + RLENGTH)
    while (match(s, /\*[^*]+\*/))
        s = substr(s, 1, RSTART - 1) "<i>" substr(s, RSTART + 1, RLENGTH - 2) "</i>" substr(s, RSTART + RLENGTH)
    if (match(s, /\[[^]]+\]\([^)]+\)/)) {
        a = substr(s, RSTART, RLENGTH)
        split(a, part, /\]\(|^\[|\)$/)
        s = substr(s, 1, RSTART - 1) "<a href=\"" part[3] "\">" part[2] "</a>" substr(s, RSTART + RLENGTH)
    }
    return s
}
function close_all() { if (para) print "</p>"; if (list) print "</ul>"; para = list = 0 }
/^```/ { close_all(); code = !code; print code ? "<pre>" : "</pre>"; next }
code { print escape($0); next }
/^#+ / { close_all(); n = index($0, " ") - 1; print "<h" n ">" inline(substr($0, n + 2)) "</h" n ">"; heads++; next }
/^- / { if (!list) { close_all(); print "<ul>"; list = 1 } print "<li>" inline(substr($0, 3)) "</li>"; next }
/^$/ { close_all(); next }
{ if (!para) { printf "<p>"; para = 1 } print inline($0) }
END { close_all(); print "<!-- " heads " headings -->" }
' page.md > page.html
cat page.html
grep -oE '<h[1-6]>[^<]*' page.html | sed -E 's/<h([1-6])>/\1 /' | while read -r level title; do
    printf '%*s- %s\n' $(( (level - 1) * 2 )) '' "$title"
done
sed -E 's/<[^>]+>//g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g' page.html | grep -v '^$' | head -4
grep -c '<li>' page.html
