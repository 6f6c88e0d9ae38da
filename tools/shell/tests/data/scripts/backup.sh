#!/bin/bash
# Packs a tree, checks it, and restores it elsewhere.
set -euo pipefail
umask 022
trap 'echo "done: $?"' EXIT
mkdir -p data/{a,b}/deep
for i in 1 2 3; do printf 'file %d\n' "$i" > "data/a/f$i.txt"; done
seq 1 500 > data/b/deep/numbers
printf 'x y z' > "data/b/with space"
ln -s f1.txt data/a/link
manifest() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }
manifest data > before.sum
wc -l < before.sum
tar -czf backup.tar.gz data
tar -tzf backup.tar.gz | sort | sed 's/^/  /'
mkdir restore
tar -xzf backup.tar.gz -C restore
manifest restore/data > after.sum
if cmp -s before.sum after.sum; then echo identical; else echo different; fi
readlink restore/data/a/link
echo changed >> restore/data/a/f2.txt
rm restore/data/a/f3.txt
(cd restore/data && sha256sum -c ../../before.sum 2>/dev/null | grep -v ': OK$') || true
diff -rq data restore/data || true
for f in data/a/*.txt; do
    base=$(basename "$f" .txt)
    gzip -c "$f" > "$base.gz"
    printf '%s %s\n' "$base" "$(zcat "$base.gz")"
done
tar cf - data/a | (cd restore && rm -rf data && tar xf -)
ls -1 restore/data/a
gzip -k restore/data/a/f1.txt
gunzip -c restore/data/a/f1.txt.gz
keep=2
touch -d '2024-01-01' old1.gz; touch -d '2024-01-02' old2.gz; touch -d '2024-01-03' old3.gz
ls -1t old*.gz | tail -n +$((keep + 1)) | while read -r f; do echo "prune $f"; rm -f "$f"; done
ls old*.gz
find . -maxdepth 1 -name '*.gz' | wc -l
base64 "data/b/with space" | tee enc; base64 -d enc; echo
md5sum data/a/f1.txt | cut -c1-8
split -l 200 -d data/b/deep/numbers part_
wc -l part_* | sed 's/^ *//'
cat part_* | cmp - data/b/deep/numbers && echo joined
