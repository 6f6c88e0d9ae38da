#!/bin/bash
# A small test runner.
mkdir -p t
cat > t/add.sh <<'T'
[ $((1 + 2)) -eq 3 ]
T
cat > t/fail.sh <<'T'
echo "about to fail" >&2
exit 4
T
cat > t/out.sh <<'T'
printf 'a\nb\n' | wc -l | grep -q 2
T
cat > t/skip.sh <<'T'
# SKIP: needs a network
exit 1
T
pass=0 fail=0 skip=0
declare -a failed=()
log=$(mktemp)
run_one() {
    local file=$1 name status
    name=$(basename "$file" .sh)
    if reason=$(sed -n 's/^# SKIP: //p' "$file") && [[ -n $reason ]]; then
        printf 'ok - %s # skip %s\n' "$name" "$reason"
        ((++skip))
        return 0
    fi
    bash "$file" > "$log" 2>&1
    status=$?
    if ((status == 0)); then
        echo "ok - $name"
        ((++pass))
    else
        echo "not ok - $name (status $status)"
        sed 's/^/    # /' "$log"
        failed+=("$name")
        ((++fail))
    fi
}
for file in t/*.sh; do run_one "$file"; done
echo "1..$((pass + fail + skip))"
printf 'pass=%d fail=%d skip=%d\n' "$pass" "$fail" "$skip"
[[ ${#failed[@]} -gt 0 ]] && echo "failed: ${failed[*]}"
rm -f "$log"
assert_eq() {
    if [[ "$1" != "$2" ]]; then echo "line ${BASH_LINENO[0]}: expected '$2', got '$1'"; return 1; fi
    echo "."
}
assert_eq "$(echo abc | rev)" cba
assert_eq "$(printf '%s' "x  y" | tr -s ' ')" "x y"
assert_eq "$(seq -s+ 4 | paste -sd+)" "1+2+3+4"
assert_eq "$(basename /a/b/c.tar.gz .gz)" c.tar || true
retry() { local n=0 max=$1; shift; until "$@"; do ((++n >= max)) && { echo "gave up after $n"; return 1; }; done; echo "ok after $n"; }
tries=0
flaky() { ((++tries >= 3)); }
retry 5 flaky
retry 2 false
(set -e; false; echo unreachable); echo "subshell: $?"
timeout 5 bash -c 'exit 9'; echo "timeout: $?"
{ echo one; echo two >&2; } 2>/dev/null | sed 's/^/> /'
exit $fail
