# Reads what objdump -d -C --no-show-raw-insn prints of x86-64 code, and prints each symbol that holds an instruction which not every
# x86-64 processor has, with the first of them; but for symbols in the namespaces of the levels, and that of SHA-256,
# which run only where the processor has them. The baseline is SSE2: all of AVX and later begins with v or uses its
# registers.
/^[0-9a-f]+ <.*>:$/ {
  symbol = $0
  sub(/^[0-9a-f]+ </, "", symbol)
  sub(/>:$/, "", symbol)
  of_a_level = symbol ~ /elk::(kernels::(avx2|avx512|amx)|sha_instructions)::/
  next
}
of_a_level || symbol in told || !/^ *[0-9a-f]+:\t/ { next }
{
  instruction = $0
  sub(/^ *[0-9a-f]+:\t/, "", instruction)
  # Prefixes; a repeated bsf is tzcnt where the processor has it, and right where it has not.
  while (sub(/^(rep[nz]*|lock|notrack|bnd|data16|cs|ds|es|fs|gs|ss) +/, "", instruction)) { }
  split(instruction, words, /[ \t]+/)
  name = words[1]
}
name ~ /^v[a-z]/ && name !~ /^ver[rw]$/ ||
instruction ~ /%[yz]mm|%k[0-7]/ ||
name ~ /^(tile|tdp|ldtilecfg|sttilecfg|aes|sha[0-9]|gf2p8|crc32|movbe|popcnt|lzcnt|pclmul)/ ||
name ~ /^(andn|bextr|blsi|blsmsk|blsr|bzhi|mulx|pdep|pext|rorx|sarx|shlx|shrx|adcx|adox)[lq]?$/ ||
name ~ /^(addsub|hadd|hsub)p[sd]$|^(lddqu|movddup|movshdup|movsldup|palignr|pshufb|pmaddubsw|pmulhrsw)$|^(pabs|psign)[bwd]$|^ph(add|sub)/ ||
name ~ /^(blend|pblend|dpp|round|insertps|extractps|mpsadbw|packusdw|phminpos|ptest|movntdqa|pmovsx|pmovzx)/ ||
name ~ /^(pinsr|pextr)[bdq]$|^p(min|max)(sb|sd|uw|ud)$|^pmul(dq|ld)$|^pcmp(eqq|gtq|[ei]str[im])$/ {
  told[symbol] = 1
  print symbol ": " instruction
}
