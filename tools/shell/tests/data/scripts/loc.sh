#!/bin/bash
# Counts the lines of code of a small project, by language.
set -euo pipefail
mkdir -p proj/{src,tests,docs}
cat > proj/src/main.py <<'PY'
# entry
import util

def main():
    print(util.greet("you"))

if __name__ == "__main__":
    main()
PY
cat > proj/src/util.py <<'PY'
def greet(name):
    # polite
    return f"hello {name}"
PY
printf 'int main(void) {\n\t/* c */\n\treturn 0;\n}\n' > proj/src/main.c
printf '# Title\n\nText with TODO here.\n' > proj/docs/readme.md
printf 'def test_greet():\n    assert True  # TODO: real\n' > proj/tests/test_util.py
declare -A lines files
total=0
while IFS= read -r -d '' file; do
    ext=${file##*.}
    count=$(grep -cv '^[[:space:]]*$' "$file" || true)
    lines[$ext]=$(( ${lines[$ext]:-0} + count ))
    files[$ext]=$(( ${files[$ext]:-0} + 1 ))
    (( total += count )) || true
done < <(find proj -type f -print0 | sort -z)
printf '%-6s %5s %5s\n' lang files lines
for ext in $(printf '%s\n' "${!lines[@]}" | sort); do
    printf '%-6s %5d %5d\n' "$ext" "${files[$ext]}" "${lines[$ext]}"
done
echo "total $total"
echo "== TODO"
grep -rn TODO proj --include='*.py' --include='*.md' | sort | sed -E 's/:[[:space:]]+/: /'
echo "== functions"
grep -rhoE '^def [a-z_]+' proj | awk '{print $2}' | sort
echo "== longest lines"
find proj -name '*.py' -exec awk '{ if (length($0) > m) { m = length($0); f = FILENAME } } END { print m, f }' {} \; | sort -rn | head -2
echo "== imports"
awk '/^import|^from/ {print FILENAME ": " $2}' proj/src/*.py
