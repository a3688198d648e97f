#!/bin/sh
# shellcheck disable=SC2317 # functions are called by name
# Tests of ./elk slurm, by programs that are built already: slurm_test.sh <repository> <their folder> script|cluster
#
# `cluster` starts a Slurm of this machine's own, with all that it has in a temporary folder, and gives it the script.
set -eu

repository=$1
programs=$2
mode=$3
sandbox=$(mktemp -d)
failures=0
daemons= # files with their process ids
stop() {
  if [ -n "$daemons" ]; then # a job outlives the daemons
    scancel --user=root 2>/dev/null || :
    is_idle() { [ -z "$(squeue --noheader 2>/dev/null)" ]; }
    wait_for 20 is_idle || :
  fi
  for file in $daemons; do
    [ ! -s "$file" ] || kill "$(cat "$file")" 2>/dev/null || :
  done
  [ -z "$daemons" ] || sleep 1
  rm -rf "$sandbox"
}
trap stop EXIT
trap 'exit 1' INT TERM

# A project whose programs need no building.
project="$sandbox/a project"
mkdir -p "$project/build/release/bin" "$project/experiments" "$sandbox/fakes"
cp "$repository/elk" "$project"
for program in width train predict; do
  mkdir "$project/experiments/$program"
  cp "$repository/experiments/$program/main.cpp" "$project/experiments/$program"
done
for program in width train; do ln -s "$programs/$program" "$project/build/release/bin"; done
cat >"$sandbox/fakes/cmake" <<END
#!/bin/sh
echo cmake version 3.25.1
: >>'$project/build/release/CMakeCache.txt'
END
printf '#!/bin/sh\n' >"$sandbox/fakes/gnuplot" # which would take most of the time
chmod +x "$sandbox"/fakes/*
PATH=$sandbox/fakes:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export ELK_NO_INSTALL=1
unset ELK_LAUNCHER ELK_DATA_DIR
cd "$sandbox"

# shellcheck source=tests/launcher/checks.sh
. "$repository/tests/launcher/checks.sh"
says() { tail -n "${2:-1}" "$sandbox/err" | grep -q -F -e "$1"; }
refused() { # message, arguments of ./elk slurm
  message=$1
  shift
  run "$project/elk" slurm "$@"
  check "slurm $*: refused" exits 2
  check "slurm $*: nothing on stdout" is_silent out
  check "slurm $*: $message" has err "$message"
}

script() {
  refused 'elk: slurm: which program' --nodes 2
  refused 'elk: slurm: which program'
  refused 'predict is no program that several processes can run' predict --nodes 2
  refused 'nothing is no program that several processes can run' nothing --nodes 2
  refused '^elk: slurm: --nodes N says on how many machines$' width
  refused '^elk: slurm: --nodes: expected a number from 1 on, got 0$' width --nodes 0
  refused '^elk: slurm: --nodes: expected a number from 1 on, got two$' width --nodes=two
  refused '^elk: slurm: --nodes lacks its value$' width --nodes
  refused '^elk: slurm: --ntasks-per-node: expected a number from 1 on, got -1$' width --nodes 2 --ntasks-per-node -1
  refused 'elk: slurm: --time: expected minutes, .* got soon$' width --nodes 2 --time soon
  refused 'elk: slurm: --mpi: expected a word .* got a b$' width --nodes 2 --mpi 'a b'
  refused "width: unrecognised option '--width'" width --nodes 2 --width 3
  refused '^elk: slurm: 2 processes share a batch in as many parts or more: --parts, got 1$' train --nodes 2
  refused '^elk: slurm: 8 processes share .* --parts, got 4$' train --nodes 2 --ntasks-per-node 4 --parts 4

  run "$project/elk" slurm --help
  check "help" exits 0
  check "help is told" has out 'ntasks-per-node T'

  run "$project/elk" slurm width --nodes 8 --time 4:00:00 --widths "16,24" --out-dir "it's here"
  check "a script" exits 0
  check "of sh" sh -n "$sandbox/out"
  # shellcheck disable=SC2016 # the script's own
  for line in '#SBATCH --nodes=8' '#SBATCH --time=4:00:00' '#SBATCH --signal=TERM@120' '#SBATCH --requeue' \
    '#SBATCH --open-mode=append' 'tasks=$SLURM_CPUS_ON_NODE'; do
    check "$line" has out "^$line"
  done
  check "the program's words" has out " --widths 16,24 --out-dir 'it'\\\\''s here'\$"
  check "its plugin" has out '^srun --mpi=pm\(ix\|i2\) '
  run "$project/elk" slurm width --nodes=1 --mpi=none
  check "a plugin that was asked for" has out '^srun --mpi=none '
  check "no limit unless one is given" has_not out 'SBATCH --time'

  # What the script does, by an srun of ours.
  # shellcheck disable=SC2016 # its own
  printf '#!/bin/sh\nprintf "[%%s]" "$@"; echo; exit "${FAKE_CODE:-0}"\n' >"$sandbox/fakes/srun"
  printf '#!/bin/sh\necho "scontrol $*"\n' >"$sandbox/fakes/scontrol"
  chmod +x "$sandbox/fakes/srun" "$sandbox/fakes/scontrol"
  export SLURM_JOB_ID=7 SLURM_CPUS_ON_NODE=6
  run "$project/elk" slurm train --nodes 2 --ntasks-per-node 2 --parts 4 --hidden 8
  mv out job
  run sh job
  check "ends with the program's code" exits 0
  check "processors are shared" has out '\[--ntasks-per-node=2\]\[--cpus-per-task=3\]'
  check "a folder of its own" has out '\[--parts\]\[4\]\[--hidden\]\[8\]\[--out-dir\]\[runs/train-slurm-7\]$'
  mkdir -p runs/train-slurm-7
  : >runs/train-slurm-7/checkpoint.safetensors
  FAKE_CODE=143 run sh job
  check "tells that it was stopped" exits 143
  check "goes on with a run" has out '\[--resume\]$'
  check "and into the queue" has out '^scontrol requeue 7$'
  FAKE_CODE=3 run sh job
  check "ends with the program's code" exits 3
  check "and only then into the queue" has_not out scontrol
}

skip() {
  echo "SKIPPED: $1"
  exit 77
}

# A Slurm of one node, which says that it has four processors.
start_slurm() {
  [ -n "${ELK_LONG_TESTS:-}" ] || skip "it waits for time limits, which are whole minutes: set ELK_LONG_TESTS=1"
  [ "$(id -u)" -eq 0 ] || skip "a Slurm of one's own needs root"
  for command in munged slurmctld slurmd sbatch srun; do
    command -v "$command" >/dev/null || skip "$command is not installed: apt-get install slurm-wlm"
  done
  mkdir -m 755 "$sandbox/munge" "$sandbox/state" "$sandbox/spool"
  (umask 077 && head -c 128 /dev/urandom >"$sandbox/munge/key")
  munged --force --key-file="$sandbox/munge/key" --socket="$sandbox/munge/socket" \
    --pid-file="$sandbox/munge/pid" --log-file="$sandbox/munge/log" --seed-file="$sandbox/munge/seed" >/dev/null 2>&1 ||
    skip "munged does not start: $(tail -n 1 "$sandbox/munge/log")"
  daemons=$sandbox/munge/pid
  host=$(hostname -s)
  port=$((20000 + $$ % 20000))
  export SLURM_CONF="$sandbox/slurm.conf"
  cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that was put back waits until what it was allowed by has expired; the least there is.
AuthInfo=socket=$sandbox/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$sandbox/state
SlurmdSpoolDir=$sandbox/spool
SlurmctldPidFile=$sandbox/slurmctld.pid
SlurmdPidFile=$sandbox/slurmd.pid
SlurmctldLogFile=$sandbox/slurmctld.log
SlurmdLogFile=$sandbox/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
MailProg=/bin/true
KillWait=10
NodeName=$host NodeAddr=127.0.0.1 CPUs=4
PartitionName=all Nodes=ALL Default=YES State=UP
END
  daemons="$sandbox/slurmd.pid $sandbox/slurmctld.pid $daemons"
  slurmctld -c >/dev/null 2>&1 || skip "slurmctld does not start: $(tail -n 1 "$sandbox/slurmctld.log")"
  slurmd -c >/dev/null 2>&1 || skip "slurmd does not start: $(tail -n 1 "$sandbox/slurmd.log")"
  for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    ! srun --immediate=1 true 2>/dev/null || return 0
    sleep 1
  done
  skip "Slurm runs nothing here after $second s: $(tail -n 1 "$sandbox/slurmd.log")"
}

state() { scontrol show job "$1" 2>/dev/null | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p'; }
restarts() { scontrol show job "$1" | sed -n 's/.*Restarts=\([0-9]*\).*/\1/p'; }
# submit: what ./elk slurm has written, with a shorter warning; sets `job`.
submit() {
  sed 's/^#SBATCH --signal=.*/#SBATCH --signal=TERM@50/' "$sandbox/out" >"$sandbox/job.sh"
  job=$(sbatch --parsable "$sandbox/job.sh")
}
wait_for() { # seconds, a command
  left=$1
  shift
  until "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || return 1
    sleep 1
  done
}
# On its way into the queue a job has other states for a moment.
is_over() {
  for _ in 1 2 3; do
    case $(state "$job") in COMPLETED | FAILED | CANCELLED | TIMEOUT | NODE_FAIL) ;; *) return 1 ;; esac
    sleep 1
  done
}
has_run() { [ "$(restarts "$job")" -ge "$1" ]; }
rows() { sed -e 's/"\(seconds\|date\|digest\)":[^,}]*//g' "$1/summaries.jsonl" | sort; }
told() { cat "slurm-$job.out" >"$sandbox/out"; }

cluster() {
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  start_slurm
  # A minute's limit, and more than half of that to do, in many runs: signalled, queued again, finished. Slurm looks
  # at limits every half minute.
  sweep="--smoke --quiet --widths 16 --epochs 400 --seeds ${ELK_SLURM_RUNS:-100}"
  # shellcheck disable=SC2086  # words
  run "$project/elk" slurm width --nodes 1 --ntasks-per-node 3 --time 1 $sweep --out-dir several
  check "a script" exits 0
  submit
  check "is signalled before its limit, and put back" wait_for 120 has_run 1
  check "ends" wait_for 600 is_over
  told
  check "as it should: $(state "$job")" test "$(state "$job")" = COMPLETED
  check "said that it was stopped" has out 'width: stopped; what was complete is kept in several'
  check "with a report" test -e several/report.html
  code=0
  # shellcheck disable=SC2086
  "$programs/width" $sweep --out-dir one >one.txt 2>&1 || code=$?
  check "one process does it" exits 0
  rows one >one.rows
  rows several >several.rows
  check "to the same rows" cmp one.rows several.rows

  # One network: signalled by hand, queued again, finished.
  model="--dataset digits --hidden 16 --parts 3 --epochs 60 --train-size 2000 --quiet"
  # shellcheck disable=SC2086
  run "$project/elk" slurm train --nodes 1 --ntasks-per-node 3 $model
  submit
  net=runs/train-slurm-$job
  begun() { [ -s "$net/history.jsonl" ]; }
  check "training begins" wait_for 60 begun
  scancel --signal=TERM "$job"
  check "is put back" wait_for 60 has_run 1
  check "ends" wait_for 120 is_over
  told
  check "as it should: $(state "$job")" test "$(state "$job")" = COMPLETED
  check "tells the command" has out "train: stopped in epoch .*/elk' train --resume --out-dir $net"
  # shellcheck disable=SC2086
  "$programs/train" $model --out-dir whole >/dev/null 2>&1
  check "to the same bits" cmp whole/model.safetensors "$net/model.safetensors"

  # Who ends a job means it.
  # shellcheck disable=SC2086
  run "$project/elk" slurm width --nodes 1 --ntasks-per-node 3 $sweep --seed 7 --out-dir ended
  submit
  begun() { [ -e ended ]; }
  check "a sweep begins" wait_for 60 begun
  scancel "$job"
  check "and is ended" wait_for 60 is_over
  sleep 7
  check "for good: $(state "$job")" test "$(state "$job")" = CANCELLED
}

$mode
[ "$failures" -eq 0 ]
