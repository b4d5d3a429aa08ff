#!/bin/sh
# Builds the backend, serves its example and looks at an answer.
set -eu
cd "$(dirname "$0")"
modelmill="${MODELMILL:-modelmill}"
cmake -S . -B build >/dev/null
cmake --build build >/dev/null
"$modelmill" doctor --backend-directory build | grep -q '@NAME@ 1.0  ok'

"$modelmill" serve models --backend-directory build --port 0 >build/served.txt 2>build/log.txt &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  url=$(sed -n '1s|.*\(http://[0-9.:]*\).*|\1|p' build/served.txt)
  [ -z "$url" ] || break
  kill -0 $server || { cat build/log.txt; exit 1; }
  sleep 0.1
done
printf '{"x": [[1, 2, 3]]}' >build/input.json
answer=$("$modelmill" predict example build/input.json --server "$url" --format csv | tail -n 1)
[ "$answer" = 3,6,9 ] || { echo "expected 3,6,9, got $answer"; exit 1; }
kill $server
wait $server
echo "@NAME@ works"
