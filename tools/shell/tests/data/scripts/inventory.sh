#!/bin/bash
# Finds duplicates, large and odd files in a tree.
mkdir -p tree/{x,y/z,empty}
printf 'same\n' > tree/x/one; printf 'same\n' > tree/y/two; printf 'same\n' > 'tree/y/z/three 3'
printf 'other\n' > tree/x/four; : > tree/y/none; head -c 3000 /dev/zero > tree/y/z/big.bin
printf 'a\r\nb\r\n' > tree/x/dos.txt; printf 'tab\there  \n' > tree/x/trail.txt
touch -d '2020-02-02 02:02' tree/x/four
echo "== duplicates"
find tree -type f -size +0 -print0 | xargs -0 md5sum | sort | awk '
{ sum = $1; sub(/^[^ ]+  /, ""); n[sum]++; names[sum] = names[sum] "\n  " $0 }
END { for (s in n) if (n[s] > 1) print n[s] " files:" names[s] }'
echo "== by size"
find tree -type f -printf '%s %p\n' | sort -k1,1nr -k2 | head -3
echo "== empty"
find tree -empty | sort
echo "== old"
find tree -type f ! -newermt '2021-01-01' -printf '%TY-%Tm-%Td %p\n'
echo "== endings"
grep -rlU $'\r' tree | sort
grep -rnE '[[:space:]]+$' tree --include='*.txt' | cut -d: -f1,2 | sort
sed -i 's/\r$//' tree/x/dos.txt && od -An -c tree/x/dos.txt
echo "== by ending"
find tree -type f | sed -n 's/.*\.\([a-z]*\)$/\1/p' | sort | uniq -c | awk '{print $2 "=" $1}'
echo "== depth"
find tree -mindepth 1 -printf '%d\n' | sort -n | uniq -c | awk '{print "level", $2, $1}'
echo "== rename"
find tree -depth -name '* *' | while IFS= read -r f; do
    new="$(dirname "$f")/$(basename "$f" | tr ' ' '_')"
    mv -v "$f" "$new"
done
find tree -type f -name '*.txt' -exec sh -c 'for f; do mv "$f" "${f%.txt}.md"; done' _ {} +
find tree \( -name '*.md' -o -name 'big*' \) -type f | sort
total=0
for f in $(find tree -type f); do ((total += $(stat -c %s "$f"))); done
echo "total $total"
(shopt -s globstar nullglob; printf '%s\n' tree/**/*.md tree/**/*.zzz; echo tree/*/)
tree_() { local d=$1 pad=$2 e; for e in "$d"/*; do [[ -e $e ]] || continue; echo "$pad${e##*/}"; if [[ -d $e ]]; then tree_ "$e" "$pad  "; fi; done; }
tree_ tree ''
rm -r tree && ls | wc -l
