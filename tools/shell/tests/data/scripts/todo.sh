#!/bin/bash
# A list of tasks in a file: add, finish, list; options with getopts.
DB=todo.db
usage() { cat <<-EOF
	usage: todo [-p PRIORITY] [-t TAG]... COMMAND
	commands: add TEXT, done ID, list
	EOF
}
todo() {
    local OPTIND=1 opt priority=3 tags=()
    while getopts ':p:t:h' opt; do
        case $opt in
            p) priority=$OPTARG ;;
            t) tags+=("$OPTARG") ;;
            h) usage; return 0 ;;
            :) echo "-$OPTARG needs a value"; return 2 ;;
            \?) echo "unknown option -$OPTARG"; return 2 ;;
        esac
    done
    shift $((OPTIND - 1))
    case ${1-} in
        add)
            shift
            local id=$(( $(tail -n1 $DB 2>/dev/null | cut -d'|' -f1 || echo 0) + 1 ))
            printf '%d|%d|open|%s|%s\n' "$id" "$priority" "$(IFS=,; echo "${tags[*]}")" "$*" >> $DB
            echo "added $id" ;;
        done)
            grep -q "^$2|" $DB || { echo "no task $2"; return 1; }
            sed -i "s/^\($2|[0-9]|\)open/\1done/" $DB ;;
        list)
            awk -F'|' -v tag="${tags[0]:-}" '
                tag == "" || index("," $4 ",", "," tag ",") {
                    printf "%s %2d. [%s] %s%s\n", ($3 == "done" ? "x" : " "), $1, $2, $5, ($4 == "" ? "" : " (" $4 ")")
                }' $DB | sort -k2,2n ;;
        '') usage; return 2 ;;
        *) echo "unknown command: $1"; return 2 ;;
    esac
}
todo -p 1 -t home add buy milk
todo -t work -t urgent add 'write "report"'
todo add rest
todo done 1
todo done 9; echo "status $?"
todo list
todo -t work list
todo -x; echo "status $?"
todo -p; echo "status $?"
todo fly; echo "status $?"
todo -h
cat $DB
jq -Rn '[inputs | split("|") | {id: (.[0] | tonumber), state: .[2], tags: (.[3] | split(",") | map(select(. != "")))}]' $DB | jq -c '.[]'
open=$(grep -c '|open|' $DB)
printf 'open: %s of %s\n' "$open" "$(wc -l < $DB)"
