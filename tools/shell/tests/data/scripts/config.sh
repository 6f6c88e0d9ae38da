#!/bin/bash
# Merges configuration files: INI, environment and JSON.
set -eu
cat > base.ini <<'INI'
; defaults
[server]
host = localhost
port = 8080

[database]
url = postgres://db/app
pool = 5
INI
cat > local.ini <<'INI'
[server]
port=9090
[feature]
dark_mode = yes
INI
declare -A config
order=()
read_ini() {
    local section= line key value
    while IFS= read -r line || [[ -n $line ]]; do
        line="${line%%;*}"
        [[ $line =~ ^[[:space:]]*$ ]] && continue
        if [[ $line =~ ^\[([a-z_]+)\]$ ]]; then
            section=${BASH_REMATCH[1]}
        elif [[ $line =~ ^[[:space:]]*([A-Za-z_]+)[[:space:]]*=[[:space:]]*(.*)$ ]]; then
            key="$section.${BASH_REMATCH[1]}"
            value=${BASH_REMATCH[2]}
            [[ -v config[$key] ]] || order+=("$key")
            config[$key]=$value
        fi
    done < "$1"
}
for file in base.ini local.ini; do read_ini "$file"; done
for key in "${order[@]}"; do echo "$key -> ${config[$key]}"; done
export APP_SERVER_HOST=example.org APP_DATABASE_POOL=20
while IFS='=' read -r name value; do
    key=$(echo "${name#APP_}" | tr '[:upper:]' '[:lower:]' | sed 's/_/./')
    config[$key]=$value
    echo "override $key"
done < <(env | grep '^APP_' | sort)
{
    echo '{'
    sep=''
    for key in "${order[@]}"; do
        printf '%s  "%s": "%s"' "$sep" "$key" "${config[$key]}"
        sep=$',\n'
    done
    printf '\n}\n'
} > merged.json
jq -r 'to_entries[] | "\(.key | ascii_upcase | gsub("\\."; "_"))=\(.value | @sh)"' merged.json | tee env.sh
jq -c 'with_entries(select(.key | startswith("server.")))' merged.json
jq '[.[] | tonumber?] | add' merged.json
sed -n '/^SERVER/p' env.sh | wc -l
( . ./env.sh; echo "port is $SERVER_PORT" )
cat > template.txt <<'T'
listen {{server.host}}:{{server.port}}
pool {{database.pool}}
T
cp template.txt out.txt
for key in "${!config[@]}"; do sed -i "s|{{${key}}}|${config[$key]}|g" out.txt; done
cat out.txt
