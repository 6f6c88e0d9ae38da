#!/bin/bash
# Renames a function over a tree, and shows what has changed.
set -euo pipefail
mkdir -p lib app
cat > lib/str.js <<'JS'
export function oldName(text) {
  return text.trim();
}
export const twice = (x) => oldName(x) + oldName(x);
JS
cat > app/main.js <<'JS'
import { oldName } from "../lib/str.js";
// oldNameHelper must stay
console.log(oldName("  a "));
JS
cat > app/view.js <<'JS'
const unrelated = "oldNames";
JS
cp -r app app.before; cp -r lib lib.before
old=oldName new=cleanText
mapfile -t hits < <(grep -rlw "$old" lib app --include='*.js' | sort)
echo "files: ${#hits[@]}"
for file in "${hits[@]}"; do
    n=$(grep -ow "$old" "$file" | wc -l)
    sed -i "s/\b$old\b/$new/g" "$file"
    printf '%s: %d\n' "$file" "$n"
done
if grep -rqw "$old" lib app; then echo "left over"; exit 1; fi
for d in lib app; do
    diff -u --label a/$d --label b/$d <(cat $d.before/*.js) <(cat $d/*.js) || true
done
diff -rq app.before app || echo "app differs ($?)"
diff -u app.before/main.js app/main.js > change.patch || :
tail -n +3 change.patch
(cd app.before && patch -p1 < ../change.patch)
cmp app.before/main.js app/main.js && echo same
patch -R -s app.before/main.js change.patch
grep -c "$old" app.before/main.js
awk -v old="$old" -v new="$new" 'BEGIN { printf "%s (%d) -> %s (%d)\n", old, length(old), new, length(new) }'
find . -name '*.js' -newer change.patch | sort | head -3
find lib app -type f -name '*.js' -exec grep -Hc "$new" {} + | sort
rm -rf app.before lib.before
ls
