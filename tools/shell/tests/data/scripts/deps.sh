#!/bin/bash
# Reads package files and orders them by what needs what.
mkdir -p pk/{app,core,util,ui}
cat > pk/app/package.json <<'J'
{"name":"app","version":"1.2.0","dependencies":{"core":"^2.0.0","ui":"~1.1.0"},"scripts":{"test":"jest","build":"tsc"}}
J
cat > pk/core/package.json <<'J'
{"name":"core","version":"2.3.1","dependencies":{"util":"*"}}
J
echo '{"name":"util","version":"0.9.0"}' > pk/util/package.json
echo '{"name":"ui","version":"1.1.4","dependencies":{"core":"^2.0.0"},"devDependencies":{"util":"*"}}' > pk/ui/package.json
declare -A deps version state
for f in pk/*/package.json; do
    name=$(jq -r .name "$f")
    version[$name]=$(jq -r .version "$f")
    deps[$name]=$(jq -r '(.dependencies // {}) + (.devDependencies // {}) | keys | join(" ")' "$f")
done
result=()
visit() {
    local name=$1 dep
    case ${state[$name]:-new} in
        done) return ;;
        busy) echo "cycle at $name" >&2; return 1 ;;
    esac
    state[$name]=busy
    for dep in ${deps[$name]}; do visit "$dep" || return; done
    state[$name]=done
    result+=("$name")
}
for name in $(printf '%s\n' "${!deps[@]}" | sort); do visit "$name"; done
printf '%s@%s\n' $(for n in "${result[@]}"; do echo "$n" "${version[$n]}"; done)
bump() {
    local IFS=. ; set -- $1 "$2"
    case $4 in
        major) echo "$(($1 + 1)).0.0" ;;
        minor) echo "$1.$(($2 + 1)).0" ;;
        *) echo "$1.$2.$(($3 + 1))" ;;
    esac
}
for kind in major minor patch; do bump "${version[core]}" $kind; done
jq --arg v "$(bump 1.2.0 minor)" '.version = $v | .dependencies.core = "^3.0.0"' pk/app/package.json > tmp && mv tmp pk/app/package.json
jq -c '{version, dependencies}' pk/app/package.json
jq -s 'map({(.name): (.dependencies // {} | length)}) | add' pk/*/package.json
jq -r '.scripts // {} | to_entries | map("\(.key): \(.value)") | .[]' pk/app/package.json
grep -l '"util"' pk/*/package.json | xargs -n1 dirname | xargs -n1 basename
printf '1.10.0\n1.9.3\n1.9.10\n' | sort -V | tail -1
awk -F'"' '/"name"/ {for (i = 1; i < NF; i++) if ($i == "name") print $(i + 2)}' pk/*/package.json | sort | paste -sd' '
