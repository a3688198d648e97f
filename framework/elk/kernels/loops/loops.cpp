#include <atomic>
#include <cstdlib>
#include <string_view>

#include <elk/base/format.hpp>
#include <elk/base/precision.hpp>
#include <elk/kernels/loops/level.hpp>

#ifdef ELK_X86
#include <cpuid.h>
#endif

namespace elk::kernels {

namespace {

// Best last.
constexpr InstructionSet all[] = {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512,
                                  InstructionSet::amx};
constexpr const char* names[] = {"baseline", "avx2", "avx512", "amx"};

#ifdef ELK_X86
// Not among the names that __builtin_cpu_supports of GCC 12 and Clang 14 knows.
bool has_amx_bf16() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24, avx512_bf16 = 1u << 5;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & amx_bf16) == 0 || (d & amx_tile) == 0) return false;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & avx512_bf16) != 0 && amx_permitted();
}
#endif

// Exactly what the build compiles each level for.
bool machine_has(InstructionSet set) {
#ifdef ELK_X86
  switch (set) {
    case InstructionSet::baseline: return true;
    case InstructionSet::avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case InstructionSet::avx512:
      return machine_has(InstructionSet::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq");
    case InstructionSet::amx: {
      static const bool amx = machine_has(InstructionSet::avx512) && has_amx_bf16();
      return amx;
    }
  }
#endif
  return set == InstructionSet::baseline;
}

template <class T>
Loops<T> table(InstructionSet set) {
  const auto filled = [](auto add_products, auto add_elementwise) {
    Loops<T> loops{};
    add_products(loops);
    add_elementwise(loops);
    return loops;
  };
#ifdef ELK_X86
  if (set >= InstructionSet::avx512) return filled(avx512::add_products<T>, avx512::add_elementwise<T>);
  if (set == InstructionSet::avx2) return filled(avx2::add_products<T>, avx2::add_elementwise<T>);
#endif
  (void)set;
  return filled(baseline::add_products<T>, baseline::add_elementwise<T>);
}

InstructionSet first_choice() {
  InstructionSet best = InstructionSet::baseline;
  for (const InstructionSet set : all)
    if (machine_has(set)) best = set;
  const char* wanted = std::getenv("ELK_ISA");
  if (wanted == nullptr || *wanted == '\0') return best;
  for (const InstructionSet set : all) {
    if (std::string_view(wanted) != name(set)) continue;
    if (machine_has(set)) return set;
    fail<ValueError>("[ELK_ISA] this machine has no {}: the best it has is {}", wanted, name(best));
  }
  fail<ValueError>("[ELK_ISA] expected baseline, avx2, avx512 or amx, got \"{}\"", wanted);
}

std::atomic<InstructionSet>& chosen() {
  static std::atomic<InstructionSet> set{first_choice()};
  return set;
}

}  // namespace

const char* name(InstructionSet set) { return names[static_cast<int>(set)]; }

InstructionSet instruction_set() { return chosen().load(std::memory_order_relaxed); }

bool set_instruction_set(InstructionSet set) {
  if (!machine_has(set)) return false;
  chosen() = set;
  return true;
}

template <class T>
const Loops<T>& loops() {
  static const Loops<T> tables[] = {table<T>(all[0]), table<T>(all[1]), table<T>(all[2]), table<T>(all[3])};
  return tables[static_cast<int>(instruction_set())];
}
template const Loops<float>& loops();
template const Loops<double>& loops();

#ifndef ELK_X86
void multiply_bf16(const Product<float>&, std::uint16_t*) {}
Index bf16_scratch() { return 0; }
#endif

}  // namespace elk::kernels

bool elk::bf16_available() { return kernels::instruction_set() == kernels::InstructionSet::amx; }
