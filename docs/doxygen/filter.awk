# What Doxygen is shown of a header or page, line for line.

# Headers: the comment that each begins with describes the file; what is indented in a comment is code.
FILENAME ~ /\.hpp$/ {
  if (!begun) sub(/^\/\//, "///")
  if (/^#pragma once/) {
    begun = 1
    $0 = "/// @file"
  }
  if (match($0, /^ *\/\/\/   /)) $0 = substr($0, 1, RLENGTH) "    " substr($0, RLENGTH + 1)
  print
  next
}

# Pages: their blocks of code are as they are.
/^```/ { code = !code }
code {
  print
  next
}

# Pages and headings get labels, which must differ in all pages: page-guide, page-guide-files.
/^#+ / {
  heading = tolower($0)
  sub(/^#+ /, "", heading)
  gsub(/[^a-z0-9 -]/, "", heading)
  gsub(/ /, "-", heading)
  $0 = $0 " {#" page(FILENAME) (/^# / ? "" : "-" heading) "}"
}

# Images are copied, wherever they are, and keep their width.
match($0, /<img src="[^"]*" width="[0-9]*" alt="[^"]*">/) {
  split(substr($0, RSTART, RLENGTH), part, "\"")
  sub(/.*\//, "", part[2])
  $0 = substr($0, 1, RSTART - 1) "@image{inline} html " part[2] " \"" part[6] "\" width=" part[4] "px" \
       substr($0, RSTART + RLENGTH)
}

# Links to pages and headings lead to these labels; those to other files stay text.
{
  before = ""
  while (match($0, /\[[^]]+\]\([^) ]+\)/)) {
    link = substr($0, RSTART, RLENGTH)
    split(substr(link, 2, RLENGTH - 2), part, /\]\(/)
    if (part[2] ~ /^#|\.md(#.*)?$/) {
      count = split(part[2], to, "#")
      link = "[" part[1] "](@ref " page(to[1] ? FILENAME "/../" to[1] : FILENAME) (count > 1 ? "-" to[2] : "") ")"
    } else if (part[2] !~ /^https?:|\.(png|svg)$/) {
      link = part[1]
    }
    before = before substr($0, 1, RSTART - 1) link
    $0 = substr($0, RSTART + RLENGTH)
  }
  print before $0
}

function page(file) {
  if (file ~ /course\/([^\/]*\.md\/\.\.\/)?README\.md$/) return "page-course"
  if (file ~ /gallery\/([^\/]*\.md\/\.\.\/)?README\.md$/) return "page-gallery"
  if (file ~ /README\.md$/) return "mainpage" # which makes it that
  sub(/.*\//, "", file)
  sub(/\.md$/, "", file)
  return "page-" tolower(file)
}
