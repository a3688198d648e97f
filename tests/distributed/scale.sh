#!/bin/sh
# Times against ranks, a model that is fitted to them, and what it says of more: scale.sh <folder of train and width>
# [mpirun's words, for example: mpirun --oversubscribe --bind-to none]
#
# On an idle machine, some ten minutes. QUICK=1 tries it in one, to see that it works.
set -eu
programs=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- mpirun --oversubscribe --bind-to none
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
processors=$(nproc)
examples=8192 runs=44 epochs=600
[ -z "${QUICK:-}" ] || { examples=1024 runs=4 epochs=20; }

# step <width> <batch> <ranks>: seconds of a step in four parts, the least of three epochs, on a thread a rank.
step() {
  name=$1-$2-$3
  "$programs_start" "$3" train --dataset digits --train-size "$examples" --hidden "$1,$1" --batch-size "$2" --parts 4 \
    --threads 1 --epochs 3 --validation 0 --lr 0.01 --quiet --out-dir "$name" >log 2>&1 || { cat log >&2 && return 1; }
  sed -n 's/.*"seconds":\([0-9.e-]*\).*/\1/p' "$name/history.jsonl" |
    awk -v steps=$((examples / $2)) 'NR == 1 || $1 < least { least = $1 } END { print least / steps }'
}
# sweep <workers>: seconds of a sweep, from its start to its report.
sweep() {
  begun=$(date +%s.%N)
  "$programs_start" $(($1 + 1)) width --smoke --quiet --widths 64 --epochs "$epochs" --seeds "$runs" --out-dir "w$1" >log 2>&1 ||
    { cat log >&2 && return 1; }
  awk -v a="$begun" -v b="$(date +%s.%N)" 'BEGIN { print b - a }'
}
# mpirun's words and the program's, in a script, as functions take no lists.
programs_start=$folder/start
{
  # shellcheck disable=SC2016
  printf '#!/bin/sh\nranks=$1 program=$2\nshift 2\nexec'
  printf " '%s'" "$@"
  # shellcheck disable=SC2016
  printf ' -n "$ranks" /usr/bin/env PATH=/nowhere '"'%s'"'/"$program" "$@"\n' "$programs"
} >"$programs_start"
chmod +x "$programs_start"

# row <width> <batch> <ranks> <mark>: the script ends where a program fails.
row() {
  seconds=$(step "$1" "$2" "$3")
  echo "$1 $2 $3 $seconds $4"
}

# What the model is fitted to, and, marked by 1, what it is tried on.
{
  for width in 1024 2048; do
    for ranks in 1 2 4; do row "$width" 512 "$ranks" 0; done
  done
  for ranks in 1 2; do row 1024 256 "$ranks" 0; done
  for ranks in 1 2 4; do row 1536 512 "$ranks" 1; done
  row 2048 512 3 1
} >steps
for workers in 1 2 4; do
  seconds=$(sweep "$workers")
  echo "$workers $seconds"
done >sweeps
awk 'FILENAME == "steps" && NF != 5 || FILENAME == "sweeps" && NF != 2 { exit 1 }' steps sweeps

# A step of n examples by a net of W weights, on R ranks and C processors:
#   a 6 W n / min(R, C) + b W max(1, R / C) + c 8 W (R - 1) / R
# forward and backward; the sums of parts and the update, on every rank; bytes sent and received.
awk -v processors="$processors" -v runs="$runs" '
  function least(x, y) { return x < y ? x : y }
  function weights(width) { return 785 * width + (width + 1) * width + (width + 1) * 10 }
  function terms(w, n, ranks, cores) {
    t[1] = 6 * w * n / least(ranks, cores)
    t[2] = w * (ranks > cores ? ranks / cores : 1)
    t[3] = 8 * w * (ranks - 1) / ranks
  }
  function model(w, n, ranks, cores) { terms(w, n, ranks, cores); return k[1] * t[1] + k[2] * t[2] + k[3] * t[3] }
  FILENAME == "steps" {
    ++count; width[count] = $1; batch[count] = $2; rank[count] = $3; time[count] = $4; held[count] = $5
    if ($1 == 2048 && $2 == 512 && $3 <= 2) wide[$3] = $4
    if ($5) next
    terms(weights($1), $2, $3, processors)  # relative errors count
    for (i = 1; i <= 3; ++i) {
      for (j = 1; j <= 3; ++j) normal[i, j] += t[i] * t[j] / $4 ^ 2
      right[i] += t[i] / $4
    }
  }
  FILENAME == "sweeps" { took[$1] = $2 }
  # Coefficients below 0 mean nothing: one at a time is raised to what fits best, until all stay.
  function fit(pass, i, j, rest) {
    for (pass = 0; pass < 100000; ++pass)
      for (i = 1; i <= 3; ++i) {
        rest = right[i]
        for (j = 1; j <= 3; ++j) if (j != i) rest -= normal[i, j] * k[j]
        k[i] = rest > 0 ? rest / normal[i, i] : 0
      }
  }
  END {
    fit()
    printf "%d processors. Forward and backward %.1f GFLOP/s, sums and update %.2f ns a weight, %.2f GB/s between ranks.\n\n",
      processors, 1e-9 / k[1], 1e9 * k[2], (k[3] > 0 ? 1e-9 / k[3] : 0)
    print "| hidden | batch | ranks | ms a step | the model | off | |\n|---|---|---|---|---|---|---|"
    for (i = 1; i <= count; ++i) {
      said = model(weights(width[i]), batch[i], rank[i], processors)
      printf "| %d, %d | %d | %d | %.1f | %.1f | %+.0f %% | %s |\n", width[i], width[i], batch[i], rank[i], 1e3 * time[i],
        1e3 * said, 100 * (said / time[i] - 1), held[i] ? "held out" : "fitted"
    }
    printf "\n784-2048-2048-10 at batch 512: two ranks are %.2f times as fast as one.\n\n", wide[1] / wide[2]
    print "| workers | seconds of the sweep | times one worker |\n|---|---|---|"
    for (w = 1; w <= 4; w *= 2) printf "| %d | %.1f | %.2f |\n", w, took[w], took[1] / took[w]
    # More machines: a rank has a machine like a processor here, and a network of so many bytes a second, both ways,
    # and so many seconds a message; a bucket of 4 MiB is two messages to and from every other rank.
    print "\n| ranks | GB/s | batch 512: times one | 16 examples a rank: times one | 512 a rank: times one |\n|---|---|---|---|---|"
    w = weights(2048)
    for (rate = 1.25; rate <= 12.5; rate *= 10)
      for (r = 8; r <= 1024; r *= 2) {
        send = 8 * w * (r - 1) / r / (rate * 1e9) + 2e-6 * 2 * (r - 1) * int(4 * w / 2 ^ 22 + 1)
        k[3] = 0
        line = sprintf("| %d | %g |", r, rate)
        for (c = 1; c <= 3; ++c) {
          n = c == 1 ? 512 : c == 2 ? 16 * r : 512 * r
          line = line sprintf(" %s |", r > n ? "-" : sprintf("%.1f", model(w, n, 1, 1) / (model(w, n, r, r) + send)))
        }
        print line
      }
  }' steps sweeps

# A sweep of N runs of t seconds by w workers, each of which rank 0 spends h on: N / w rounds of t, or N h and the last
# run, whichever is more.
awk -v hand_out="${HAND_OUT:-0.0007}" 'BEGIN {
  printf "\nSweeps, where rank 0 spends %g ms on a run (as RunnerTest.HandsOutManyRuns says):\n\n", 1e3 * hand_out
  print "| runs | seconds a run | 8 workers | 64 | 1023 |\n|---|---|---|---|---|"
  for (n = 10; n <= 100000; n *= 10)
    for (t = 1; t <= 100; t *= 10) {
      line = sprintf("| %d | %d |", n, t)
      for (i = 1; i <= 3; ++i) {
        w = i == 1 ? 8 : i == 2 ? 64 : 1023
        rounds = int((n + w - 1) / w)
        whole = rounds * t
        if (whole < n * hand_out + t) whole = n * hand_out + t
        line = line sprintf(" %.3g times one |", n * (t + hand_out) / whole)
      }
      print line
    }
}'
