#!/usr/bin/env bash
# Reads a web server's log and reports on it.
cat > access.log <<'LOG'
10.0.0.1 - - [10/Oct/2023:13:55:36 +0000] "GET /index.html HTTP/1.1" 200 2326
10.0.0.2 - - [10/Oct/2023:13:55:40 +0000] "POST /api/login HTTP/1.1" 401 128
10.0.0.1 - - [10/Oct/2023:13:56:01 +0000] "GET /img/a.png HTTP/1.1" 200 10240
10.0.0.3 - - [10/Oct/2023:14:01:12 +0000] "GET /missing HTTP/1.1" 404 512
10.0.0.2 - - [10/Oct/2023:14:02:00 +0000] "POST /api/login HTTP/1.1" 200 256
10.0.0.4 - - [10/Oct/2023:14:03:33 +0000] "DELETE /api/item/7 HTTP/1.1" 500 64
10.0.0.1 - - [10/Oct/2023:15:00:00 +0000] "GET /index.html HTTP/1.1" 304 0
LOG
report() {
    local title=$1; shift
    echo "--- $title"
    "$@" | sed 's/^ *//'
}
report "by address" bash -c "cut -d' ' -f1 access.log | sort | uniq -c | sort -k1,1nr -k2"
report "by status" awk '{c[$9]++} END {for (s in c) print s, c[s] | "sort"}' access.log
report "by hour" awk -F'[:[]' '{h[$3]++} END {for (k in h) print k ":00", h[k]}' access.log
report "errors" awk '$9 >= 400 {gsub(/"/, "", $6); print $9, $6, $7}' access.log
bytes=$(awk '{s += $10} END {print s}' access.log)
echo "bytes: $bytes ($(( bytes / 1024 )) KiB)"
awk '{
    split($4, t, ":"); key = $7
    n[key]++; size[key] += $10
}
END {
    for (k in n) printf "%-18s %3d %8.1f\n", k, n[k], size[k] / n[k]
}' access.log | sort
fail=0
while read -r ip _ _ when _ method path _ status size; do
    method=${method#\"}
    case "$status" in
        2??|3??) ;;
        4??) echo "client error: $method $path from $ip"; ((fail++)) ;;
        5??) echo "server error: $method $path at ${when#[}"; ((fail++)) ;;
    esac
done < access.log
echo "failures=$fail"
if (( fail > 2 )); then echo "ALERT"; fi
top=$(sort -t' ' -k10,10nr access.log | head -n 1 | grep -oE '/[^ ]+ HTTP' | cut -d' ' -f1)
echo "largest: $top"
grep -c ' 200 ' access.log
tr -s ' ' '\n' < access.log | grep -E '^/' | sort -u | nl -w2 -s'. '
