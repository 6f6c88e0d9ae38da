#!/bin/bash
# Works on what an API has answered.
set -euo pipefail
cat > page1.json <<'J'
{"items":[{"id":3,"title":"Fix bug","labels":["bug","p1"],"author":{"login":"ann"},"closed":null,"comments":4},
 {"id":1,"title":"Add \"quotes\"","labels":[],"author":{"login":"bob"},"closed":"2024-03-01T10:00:00Z","comments":0}],"next":"page2.json"}
J
cat > page2.json <<'J'
{"items":[{"id":7,"title":"Docs: tabs\tand more","labels":["docs"],"author":{"login":"ann"},"closed":null,"comments":12}],"next":null}
J
page=page1.json
: > all.ndjson
while [[ $page != null ]]; do
    jq -c '.items[]' "$page" >> all.ndjson
    page=$(jq -r '.next' "$page")
done
wc -l < all.ndjson
jq -s 'length, (map(.comments) | add), (map(.id) | max)' all.ndjson
jq -r 'select(.closed == null) | "#\(.id) \(.title) [\(.labels | join(","))]"' all.ndjson
jq -s -c 'group_by(.author.login) | map({key: .[0].author.login, value: (map(.id) | sort)}) | from_entries' all.ndjson
jq -r '[.id, .title, .comments] | @tsv' all.ndjson | sort -n | while IFS=$'\t' read -r id title comments; do
    printf '%-3s|%-20s|%3s\n' "$id" "$title" "$comments"
done
jq -r '[.id, .title, (.labels | length)] | @csv' all.ndjson
jq -s '[.[].labels[]] | unique' -c all.ndjson
jq --arg who ann --argjson min 5 -c 'select(.author.login == $who and .comments >= $min) | {id, who: $who}' all.ndjson
jq -c 'del(.author, .labels) | .closed //= "open" | .n = (.title | length)' all.ndjson
jq -r '.closed // empty | fromdate | todate' all.ndjson
jq -n --slurpfile a page1.json --arg now 2024 '{count: ($a[0].items | length), $now}' -c
jq -e '.items | any(.comments > 100)' page1.json || echo "none ($?)"
jq -r 'paths(scalars) | map(tostring) | join(".")' page2.json | head -4
jq -r '.items[0] | to_entries[] | select(.value | type == "string" or type == "number") | "\(.key)=\(.value)"' page1.json
for label in bug docs none; do
    n=$(jq -s --arg l "$label" 'map(select(.labels | index($l))) | length' all.ndjson)
    echo "$label: $n"
done
body=$(jq -n --arg title "a 'b' \"c\"" --argjson labels '["x"]' '{title: $title, labels: $labels}')
echo "$body" | jq -c .
echo "$body" | grep -o '"title": .*' | sed 's/,$//'
jq '.items[].id' page1.json | paste -sd, | awk -F, '{print "ids:", $0, "n=" NF}'
jq -r 'def pad(n): tostring | (n - length) * "." + .; .items[] | .id | pad(4)' page1.json
jq 'if (.items | length) > 1 then "many" else "one" end' page1.json page2.json
jq -c '[.items[] | {(.author.login): .comments}] | add' page1.json
jq -c '.items |= map(.id)' page2.json
