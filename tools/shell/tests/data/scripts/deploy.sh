#!/bin/bash
# Releases in directories, with links, a lock and a cleanup.
set -uo pipefail
readonly ROOT=$PWD/site KEEP=2
log() { printf '[%s] %s\n' "${FUNCNAME[1]}" "$*"; }
die() { log "$@" >&2; exit 1; }
lock() { mkdir "$ROOT/.lock" 2>/dev/null || { log "locked"; return 1; }; }
unlock() { rmdir "$ROOT/.lock"; }
build() {
    local version=$1 dir=$ROOT/releases/$1
    mkdir -p "$dir"
    cat > "$dir/index.html" <<EOF
<html><!-- version: $version -->
<body>${2:-no text}</body>
</html>
EOF
    echo "$version" > "$dir/VERSION"
    log "$version: $(find "$dir" -type f | wc -l) files, $(cat "$dir"/* | wc -c) bytes"
}
activate() {
    local target=$ROOT/releases/$1
    [[ -d $target ]] || { log "no release $1"; return 1; }
    ln -sfn "$target" "$ROOT/current"
    log "now $(basename "$(readlink "$ROOT/current")")"
}
prune() {
    local -a all
    mapfile -t all < <(ls -1 "$ROOT/releases" | sort -V)
    local extra=$(( ${#all[@]} - KEEP ))
    for ((i = 0; i < extra; i++)); do
        rm -rf "${ROOT:?}/releases/${all[i]}"
        log "removed ${all[i]}"
    done
}
mkdir -p "$ROOT"
lock && log "got it" || true
main() {
    for v in 1.2 1.9 1.10; do
        build $v "release $v"
        activate $v || die "cannot activate"
    done
    activate 7.7 || echo "status $?"
    prune
}
main
lock || echo "still locked"
unlock
lock && unlock && echo "free again"
cat site/current/VERSION
sed -n 's/.*version: \([0-9.]*\).*/\1/p' site/releases/*/index.html | sort -V | xargs
[[ -L site/current && -e site/current/index.html ]] && echo "link ok"
[ "$(realpath site/current)" = "$ROOT/releases/1.10" ] && echo "resolves"
(cd site/current && sed -i 's/release/RELEASE/' index.html && grep -o 'RELEASE [0-9.]*' index.html)
stat -c '%F' site/current
test -w site/current/VERSION && echo writable
unset nothing; echo "${nothing-unset}"
find site -type d | sort
