#!/usr/bin/env bash
# Sends random operations of the schema, FUZZ_CASES for each root field, to a server with made-up users of its own, and holds
# that none is answered with a fault, that the server logs none, and that the directory is sound afterwards. Takes Python.
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo build --release --locked --quiet
folder=target/schema-fuzz
rm -rf "$folder/data"
[ -x "$folder/python/bin/st" ] || { python3 -m venv "$folder/python" && "$folder/python/bin/pip" install --quiet schemathesis==4.32.5; }
roster() { target/release/roster --data-dir "$folder/data" "$@"; }
roster demo --users 300
roster serve --listen 127.0.0.1:0 --auth none 2> "$folder/log" &
trap 'kill $!' EXIT
until url=$(grep -om1 'http://[^ ]*/graphql' "$folder/log"); do sleep 0.1; done
repository=$PWD
(
    # It keeps notes where it is called.
    cd "$folder"
    SCHEMATHESIS_HOOKS=$repository/tests/audit/schema_fuzz.py python/bin/st run "$repository/schema.graphql" --url "$url" \
        --phases fuzzing --checks no_fault --continue-on-failure --suppress-health-check all \
        --max-examples "${FUZZ_CASES:-90}" --request-timeout 20
)
if grep -E ' (ERROR|WARN) ' "$folder/log"; then exit 1; fi
roster verify
