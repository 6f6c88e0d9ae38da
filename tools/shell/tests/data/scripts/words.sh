#!/bin/bash
# Word statistics of a text.
cat > text.txt <<'T'
It was the best of times, it was the worst of times,
it was the age of wisdom, it was the age of foolishness,
it was the epoch of belief, it was the epoch of incredulity,
T
tr -cs '[:alpha:]' '\n' < text.txt | tr '[:upper:]' '[:lower:]' | grep -v '^$' > words
echo "words: $(wc -l < words), different: $(sort -u words | wc -l)"
sort words | uniq -c | sort -k1,1nr -k2,2 | head -5 | awk '{printf "%-10s %2d %s\n", $2, $1, substr("##########", 1, $1)}'
awk '{ l = length($1); n[l]++ } END { for (i = 1; i <= 12; i++) if (i in n) printf "%2d letters: %d\n", i, n[i] }' words
grep -E '^.{6,}$' words | sort -u | paste -sd' '
grep -n 'age' text.txt | cut -d: -f1
sed -E 's/\b(it|was)\b/<\1>/gI' text.txt | head -1
awk 'BEGIN { RS = "," } NF { gsub(/^[ \n]+/, ""); print NR ": " $0 }' text.txt | head -3
fold -s -w 30 text.txt | sed 's/ *$//' | head -4
rev words | sort | rev | uniq | tail -3
awk '{ for (i = NF; i > 0; i--) printf "%s%s", $i, i > 1 ? " " : "\n" }' text.txt | tail -1
prev=
declare -A pairs
while read -r w; do
    [[ -n $prev ]] && pairs["$prev $w"]=$(( ${pairs["$prev $w"]:-0} + 1 ))
    prev=$w
done < words
for p in "${!pairs[@]}"; do echo "${pairs[$p]} $p"; done | sort -k1,1nr -k2 | head -4
vowels=$(tr -cd 'aeiou' < text.txt | wc -c)
echo "vowels: $vowels"
for w in level radar hello noon; do
    [[ $w == "$(rev <<< "$w")" ]] && echo "$w: palindrome" || echo "$w: no"
done
caesar() { tr 'a-zA-Z' "$(printf %s {a..z} | sed "s/^\(.\{$1\}\)\(.*\)/\2\1/")$(printf %s {A..Z} | sed "s/^\(.\{$1\}\)\(.*\)/\2\1/")"; }
echo "Hello World" | caesar 3 | tee /dev/stderr 2>/dev/null | caesar 23
nl -ba -w2 -s') ' text.txt | cut -c1-20
comm -12 <(sort -u words) <(printf '%s\n' age best zebra) | xargs
shuf words | sort | cmp - <(sort words) && echo "shuffled well"
head -c 20 text.txt | od -An -c | head -1
sed -n '1{s/[^,]*,//;s/^ //;p}' text.txt
printf '%s\n' {a..e}{1..2} | paste - - - - -
