# awk -f roughly.awk A B: whether two texts are the same but for blanks and for numbers that differ by a fifth at most.

# Takes the numbers out of a line into `list`; returns what is left.
function skeleton(line, list,    left, n) {
  left = ""
  for (n = 1; match(line, /[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?/); ++n) {
    list[n] = substr(line, RSTART, RLENGTH) + 0
    left = left substr(line, 1, RSTART - 1) "#"
    line = substr(line, RSTART + RLENGTH)
  }
  left = left line
  gsub(/ /, "", left)
  return left
}

NR == FNR { shown[FNR] = $0; lines = FNR; next }
{
  split("", a)
  split("", b)
  if (skeleton($0, a) != skeleton(shown[FNR], b)) differs = 1
  for (i in a) {
    if ((a[i] - b[i]) ^ 2 > (0.2 * a[i]) ^ 2 && (a[i] - b[i]) ^ 2 > (0.2 * b[i]) ^ 2) {
      print "expected about " b[i] ", got " a[i] ": " $0
      differs = 1
    }
  }
  printed = FNR
}
END { exit differs || lines != printed }
