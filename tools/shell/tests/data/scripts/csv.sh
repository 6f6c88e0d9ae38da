#!/bin/bash
# Works on a table of orders.
cat > orders.csv <<'CSV'
id,date,customer,item,qty,price
1,2024-01-05,alice,widget,3,2.50
2,2024-01-07,bob,gadget,1,10.00
3,2024-01-20,alice,gadget,2,10.00
4,2024-02-02,carol,widget,10,2.25
5,2024-02-14,bob,"doohickey",4,1.75
CSV
echo "rows: $(tail -n +2 orders.csv | wc -l)"
awk -F, 'NR > 1 { total[$3] += $5 * $6; n[$3]++ }
  END { for (c in total) printf "%s\t%d\t%.2f\n", c, n[c], total[c] }' orders.csv | sort -t$'\t' -k3,3nr | column -t
echo
awk -F, 'NR > 1 { m = substr($2, 1, 7); sum[m] += $5 * $6 } END { for (m in sum) print m, sum[m] }' orders.csv | sort
head -1 orders.csv | tr ',' '\n' | cat -n
cut -d, -f3,4 orders.csv | sed 1d | tr -d '"' | sort -u | paste -sd';'
printf 'alice,north\nbob,south\ndave,west\n' > regions.csv
join -t, -1 3 -2 1 -o 1.1,0,2.2 <(sed 1d orders.csv | sort -t, -k3,3) regions.csv
join -t, -v 2 -1 3 -2 1 <(sed 1d orders.csv | sort -t, -k3,3) regions.csv
jq -Rsc 'split("\n")[1:-1] | map(split(",")) | map({id: .[0]|tonumber, who: .[2], sum: ((.[4]|tonumber) * (.[5]|tonumber))})' orders.csv > orders.json
jq -r 'group_by(.who)[] | "\(.[0].who): \(map(.id) | join("+"))"' orders.json
jq '[.[].sum] | add | floor' orders.json
jq -r '.[] | select(.sum > 15) | [.id, .who] | @csv' orders.json
max=0 who=
while IFS=, read -r id date customer item qty price; do
    [ "$id" = id ] && continue
    cents=${price/./}
    sum=$((qty * 10#$cents))
    if [ $sum -gt $max ]; then max=$sum who=$customer; fi
    printf '%s %-6s %6d.%02d\n' "$date" "$customer" $((sum / 100)) $((sum % 100))
done < orders.csv
echo "best: $who $max"
sed -n 's/^\([0-9]*\),\([0-9]*\)-\([0-9]*\)-.*/\3.\2 #\1/p' orders.csv
sort -t, -k5,5n -k6,6nr orders.csv | awk -F, 'NR > 1 {print $1}' | xargs
date -u -d "2024-02-14" +"%A %d %B"
