#!/bin/bash
# Shortest ways in a small graph, and primes, in arithmetic and arrays.
edges='A B 4
A C 1
C B 2
B D 5
C D 8
D E 3'
declare -A dist prev seen
nodes=$(printf '%s\n' "$edges" | awk '{print $1; print $2}' | sort -u)
for n in $nodes; do dist[$n]=999; done
dist[A]=0
while :; do
    best= low=999
    for n in $nodes; do
        if [[ -z ${seen[$n]-} ]] && (( dist[$n] < low )); then best=$n low=${dist[$n]}; fi
    done
    [[ -z $best ]] && break
    seen[$best]=1
    while read -r from to cost; do
        [[ $from == "$best" ]] || continue
        (( new = dist[$best] + cost ))
        if (( new < dist[$to] )); then dist[$to]=$new prev[$to]=$best; fi
    done <<< "$edges"
done
for n in $nodes; do
    path=$n p=$n
    while [[ -n ${prev[$p]-} ]]; do p=${prev[$p]}; path="$p>$path"; done
    printf '%s %3d %s\n' "$n" "${dist[$n]}" "$path"
done
limit=50
sieve=()
for ((i = 2; i <= limit; i++)); do
    [[ ${sieve[i]-} ]] && continue
    primes+=($i)
    for ((j = i * i; j <= limit; j += i)); do sieve[j]=x; done
done
echo "${primes[@]}"
echo "count ${#primes[@]}, last ${primes[-1]}, slice ${primes[@]:3:4}"
fib() { local a=0 b=1 i; for ((i = 0; i < $1; i++)); do printf '%d ' "$a"; ((b += a, a = b - a)); done; echo; }
fib 12
gcd() { (( $2 == 0 )) && echo "$1" || gcd "$2" $(( $1 % $2 )); }
gcd 1071 462
printf '%x %o %#X %05.1f %+d\n' 255 8 48879 3.14159 7
echo $((2 ** 10)) $((17 % 5)) $((-7 / 2)) $((0x1f & 6)) $((1 << 4 | 3)) $((5 > 3 ? 1 : 0)) $((16#ff))
matrix=$'1 2 3\n4 5 6'
awk '{for (i = 1; i <= NF; i++) m[NR, i] = $i; nf = NF} END {for (i = 1; i <= nf; i++) {for (j = 1; j <= NR; j++) printf "%s%s", m[j, i], j < NR ? " " : "\n"}}' <<< "$matrix"
bc_() { awk "BEGIN { printf \"%.4f\\n\", $1 }"; }
bc_ '22 / 7'
bc_ 'sqrt(2)'
seq 1 10 | awk '{s += $1; q += $1 * $1} END {m = s / NR; printf "mean %.2f sd %.3f\n", m, sqrt(q / NR - m * m)}'
sorted=($(printf '%s\n' 5 3 9 1 | sort -n)); echo "${sorted[*]}"
